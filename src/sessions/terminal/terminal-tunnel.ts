import { once } from 'node:events';
import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import type { SessionGrant } from '../protocol/dispatch-messages.ts';
import { SESSION_TAG_HEADER } from '../protocol/session-tag.ts';
import { securedAs } from './http-exchange.ts';
import type { Dialled, TerminalDestination } from './terminal-dial.ts';

export type TunnelOpening = { stream: Duplex } | { refusal: string };

/** HTTP CONNECT through the session's proxy, with a session tag where the application takes them. A refusal is a value; a connection that breaks is `connection_lost`. */
export function openTunnel(
  { token, proxy }: SessionGrant,
  dialled: Dialled,
  to: TerminalDestination,
  sessionTag: string | null = null,
): Promise<TunnelOpening> {
  const stream = securedAs(new URL(proxy.endpoints.connect), dialled.socket);
  const authority = `${to.host}:${to.port}`;
  return new Promise((resolve) => {
    const asked = request({
      method: 'CONNECT',
      path: authority,
      headers: {
        host: authority,
        'proxy-authorization': `Bearer ${token}`,
        ...(sessionTag !== null && { [SESSION_TAG_HEADER]: sessionTag }),
      },
      createConnection: () => stream as never,
    });
    asked.on('error', () => resolve({ refusal: 'connection_lost' }));
    asked.on('connect', ({ statusCode, headers }) => {
      if (statusCode === 200) return resolve({ stream });
      const reason = headers['zerorate-reason'];
      void readToEnd(stream).then(() =>
        resolve({ refusal: typeof reason === 'string' ? reason : `http_${statusCode}` }),
      );
    });
    asked.end();
  });
}

/** What was sent is read, so that it was counted on both sides. */
async function readToEnd(stream: Duplex): Promise<void> {
  stream.on('error', () => {});
  stream.resume();
  stream.end();
  if (!stream.closed) await once(stream, 'close');
}
