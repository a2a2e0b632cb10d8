import type { Announcement } from '../session-protocol/dispatch-messages.ts';

/** The way to the proxies. */
export interface ProxyControl {
  /** Resolves with null when the proxy has taken the announcement over, else with what went wrong. */
  announce(proxy: { proxyId: string; controlUrl: string }, announcement: Announcement): Promise<string | null>;
}

/** What a connection that was kept open comes to when the proxy has gone meanwhile. */
const STALE: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/** Over HTTP, each proxy with its own secret. */
export function httpProxyControl(secretOf: (proxyId: string) => string, timeoutMs: number): ProxyControl {
  return {
    async announce({ proxyId, controlUrl }, announcement) {
      const path = `v1/sessions/${encodeURIComponent(announcement.sessionId)}`;
      const url = new URL(path, controlUrl.endsWith('/') ? controlUrl : `${controlUrl}/`);
      const put = () =>
        fetch(url, {
          method: 'PUT',
          headers: { authorization: `Bearer ${secretOf(proxyId)}`, 'content-type': 'application/json' },
          body: JSON.stringify(announcement),
          redirect: 'error',
          signal: AbortSignal.timeout(timeoutMs),
        });
      try {
        // Said twice it is the same: its revision says so.
        const response = await put().catch((error: Error) => {
          if (STALE.has((error.cause as NodeJS.ErrnoException | undefined)?.code)) return put();
          throw error;
        });
        await response.body?.cancel();
        return response.ok ? null : `HTTP ${response.status}`;
      } catch (error) {
        const { message, cause } = error as Error;
        const what = cause instanceof Error ? `${message}: ${cause.message}` : message;
        return `${url.origin}: ${what}; check listen.control of proxy ${proxyId}, its publicUrl, and the network between`;
      }
    },
  };
}
