import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type HttpRefusal, httpRefusal } from './http-refusal.ts';

/** What the client still sends is read away for so long, as a reset could overtake the answer. */
const LINGER_MS = 500;

/** A packet of nothing but the beginning of one. */
const REQUEST_LINE = /^[A-Z]+ \S+$/;

/** Of Node; fastify's type of it describes `rawPacket` as its JSON. */
interface ParserError extends Error {
  code: string;
  rawPacket: unknown;
}

/**
 * Returns the handler of requests that the HTTP parser gives up: too slow (408), a request line (414) or headers (431) that are
 * too long, and what is not HTTP (400). Each connection is answered once and closed.
 */
export function answerBrokenRequests(headerBytes: number): (error: ParserError, socket: Socket) => void {
  const answered = new WeakSet<Socket>();
  return (error, socket) => {
    if (answered.has(socket)) return;
    answered.add(socket);
    if (error.code === 'ECONNRESET' || !socket.writable || isAnswering(socket)) return void socket.destroy();
    const [reason, detail] = reasonOf(error, headerBytes);
    const { status, body } = httpRefusal(reason, detail);
    const text = JSON.stringify(body);
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(text)}`,
      'connection: close',
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  };
}

function reasonOf({ code, rawPacket }: ParserError, headerBytes: number): [HttpRefusal, string | undefined] {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return ['request_timeout', undefined];
  if (code !== 'HPE_HEADER_OVERFLOW') return ['invalid_request', 'this is not HTTP/1.1'];
  const isInRequestLine = Buffer.isBuffer(rawPacket) && REQUEST_LINE.test(rawPacket.toString('latin1', 0, headerBytes));
  return [isInRequestLine ? 'url_too_long' : 'headers_too_long', `at most ${headerBytes} bytes`];
}

/** An answer that has begun cannot be followed by another one. */
function isAnswering(socket: Socket & { _httpMessage?: { headersSent: boolean } | null }): boolean {
  return socket._httpMessage?.headersSent === true;
}
