import type { IncomingMessage } from 'node:http';

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Returns why a request is refused; null when it is not. Only this machine reaches the server, but so does a page that is
 * open in its browser. A page whose own name resolves to this host (DNS rebinding) names itself as the host, and the browser
 * names the page of another site as the origin.
 */
export function requestRefusal({ headers, method }: Pick<IncomingMessage, 'headers' | 'method'>): string | null {
  if (!isLoopback(headers.host)) return 'name this server by localhost or 127.0.0.1';
  const { origin } = headers;
  if (origin !== undefined && origin !== `http://${headers.host}`) return 'pages of other origins are not answered';
  const site = headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') return null;
  // A link on another site may lead here: it opens a page, and the other site cannot read it.
  const isLink =
    headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document' && method === 'GET';
  return isLink ? null : 'pages of other sites are not answered';
}

function isLoopback(host: string | undefined): boolean {
  return host !== undefined && LOOPBACK_HOSTS.has(host.toLowerCase().replace(/:\d{1,5}$/, ''));
}
