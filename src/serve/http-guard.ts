import type { IncomingMessage } from 'node:http';

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Why a request is turned away; null when it is not. Only this machine reaches the server, but a page that is open in its
 * browser does, too: one that has its own name point here (DNS rebinding) names itself as the host, and one of another
 * site is named by the browser as the origin.
 */
export function requestRefusal({ headers, method }: Pick<IncomingMessage, 'headers' | 'method'>): string | null {
  if (!isLoopback(headers.host)) return 'name this server by localhost or 127.0.0.1';
  const { origin } = headers;
  if (origin !== undefined && origin !== `http://${headers.host}`) return 'pages of other origins are not answered';
  const site = headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') return null;
  // A link on another site may lead here: it opens a page, and its site does not see it.
  const isLink =
    headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document' && method === 'GET';
  return isLink ? null : 'pages of other sites are not answered';
}

function isLoopback(host: string | undefined): boolean {
  return host !== undefined && LOOPBACK_HOSTS.has(host.toLowerCase().replace(/:\d{1,5}$/, ''));
}
