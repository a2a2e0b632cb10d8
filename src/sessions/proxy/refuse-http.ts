import { STATUS_CODES } from 'node:http';
import type { ProxyRefusal } from '../protocol/refusal.ts';
import type { NotAdmitted } from './admission.ts';
import { lingeringEnd } from './linger.ts';
import type { Accepted } from './listener.ts';

const UPSTREAM = 502;
const FORBIDDEN = 403;

const STATUS: Partial<Record<ProxyRefusal, number>> = {
  too_many_connections: 429,
  buffers_full: 503,
  upstream_failed: UPSTREAM,
  message_too_large: 413,
};
const UNAUTHENTICATED: readonly ProxyRefusal[] = ['token_missing', 'token_invalid', 'token_expired'];

/** Answers with the reason as header and body, and ends the connection. `challenge`: what to answer who did not show a good token. */
export function refuseHttp(accepted: Accepted, { refusal, detail }: NotAdmitted, challenge: 'proxy' | 'server'): void {
  const isUnknown = UNAUTHENTICATED.includes(refusal);
  const status = isUnknown ? (challenge === 'proxy' ? 407 : 401) : (STATUS[refusal] ?? FORBIDDEN);
  const name = challenge === 'proxy' ? 'proxy-authenticate' : 'www-authenticate';
  const scheme = challenge === 'proxy' ? 'Basic realm="zerorate"' : 'Bearer';
  answerHttp(accepted, status, {
    headers: { 'zerorate-reason': refusal, ...(isUnknown && { [name]: scheme }) },
    body: { reason: refusal, message: detail },
  });
}

/** Writes a whole answer and ends the connection. */
export function answerHttp(
  accepted: Accepted,
  status: number,
  { headers = {}, body }: { headers?: Record<string, string>; body: object },
): void {
  const text = `${JSON.stringify(body)}\n`;
  const all = {
    ...headers,
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(text)),
    connection: 'close',
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  accepted.admitted();
  if (accepted.stream.writable)
    accepted.stream.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${text}`);
  lingeringEnd(accepted);
}
