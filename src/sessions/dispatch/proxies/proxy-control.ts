import { Agent, type Dispatcher, request } from 'undici';
import type { TlsFiles } from '../../../platform/config/tls-schema.ts';
import { readTlsFiles } from '../../../platform/network/tls-files.ts';
import type { Announcement } from '../../protocol/dispatch-messages.ts';
import type { ProxyPin } from './proxy-registry.ts';

/**
 * What came of an announcement: null when the proxy has it, else why not. `over`: the session has ended at the proxy; `refused`: the proxy
 * does not take this one; `unreachable`: no answer, so that it may have it.
 */
export type AnnouncementProblem = { message: string; kind: 'over' | 'refused' | 'unreachable' } | null;

/** The connection to the proxies. */
export interface ProxyControl {
  announce(proxyId: string, announcement: Announcement): Promise<AnnouncementProblem>;
}

export interface ControlPin extends Pick<ProxyPin, 'controlUrl' | 'secret'> {
  /** TLS towards the control interface; absent: the authorities that Node.js trusts. */
  tls?: TlsFiles | undefined;
}

/** What a connection that was kept open comes to when the proxy has gone meanwhile. */
const STALE: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);
const SESSION_OVER = 409;

/** Calls the proxies over HTTP, each with its own secret and at the control URL of the configuration alone; redirects are not followed. */
export function httpProxyControl(pins: ReadonlyMap<string, ControlPin>, timeoutMs: number): ProxyControl {
  const dispatchers = new Map(
    [...pins].map(([proxyId, { tls = {} }]): [string, Dispatcher] => [
      proxyId,
      new Agent({ connect: readTlsFiles(tls, `proxies.${proxyId}.tls`) }),
    ]),
  );
  return {
    async announce(proxyId, announcement) {
      const pin = pins.get(proxyId);
      if (pin === undefined) return { message: 'the configuration has no such proxy', kind: 'unreachable' };
      const path = `v1/sessions/${encodeURIComponent(announcement.sessionId)}`;
      const url = new URL(path, pin.controlUrl.endsWith('/') ? pin.controlUrl : `${pin.controlUrl}/`);
      const dispatcher = dispatchers.get(proxyId);
      const put = () =>
        request(url, {
          method: 'PUT',
          headers: { authorization: `Bearer ${pin.secret.reveal()}`, 'content-type': 'application/json' },
          body: JSON.stringify(announcement),
          signal: AbortSignal.timeout(timeoutMs),
          ...(dispatcher && { dispatcher }),
        });
      try {
        // Said twice it is the same: its revision says so.
        const { statusCode, body } = await put().catch((error: NodeJS.ErrnoException) => {
          if (STALE.has(error.code)) return put();
          throw error;
        });
        await body.dump();
        if (statusCode >= 200 && statusCode < 300) return null;
        return { message: `HTTP ${statusCode}`, kind: statusCode === SESSION_OVER ? 'over' : 'refused' };
      } catch (error) {
        const { message } = error as Error;
        const what = `${url.origin} cannot be reached: ${message}; check controlUrl and listen.control of proxy ${proxyId}, and the network between`;
        return { message: what, kind: 'unreachable' };
      }
    },
  };
}
