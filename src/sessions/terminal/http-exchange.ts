import { type IncomingHttpHeaders, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as secure } from 'node:tls';
import { DialError, type TerminalDestination } from './terminal-dial.ts';

export interface HttpAsk {
  method: string;
  url: URL;
  headers?: Record<string, string>;
  body?: Uint8Array;
}

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** One request and its answer on a connection that ends with them. Rejects with a DialError when the connection breaks. */
export function exchange(stream: Duplex, { method, url, headers, body }: HttpAsk): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const options: RequestOptions = {
      method,
      path: `${url.pathname}${url.search}`,
      headers: {
        host: url.host,
        connection: 'close',
        ...(body !== undefined && { 'content-length': body.length }),
        ...headers,
      },
      createConnection: () => stream as never,
    };
    const broken = (cause: unknown) => reject(new DialError('unreachable', `${url.host} broke off`, cause));
    const asked = request(options, (response) => {
      bodyOf(response).then(
        (answer) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: answer }),
        broken,
      );
    });
    asked.on('error', broken);
    asked.end(body);
  });
}

/** Resolves when nothing more comes. */
async function bodyOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export function destinationOf(url: URL): TerminalDestination {
  const port = url.port === '' ? (isSecured(url) ? 443 : 80) : Number(url.port);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port };
}

/** TLS over the connection, where the URL asks for it. */
export function securedAs(url: URL, socket: Duplex): Duplex {
  if (!isSecured(url)) return socket;
  const { host } = destinationOf(url);
  return secure({ socket, host, ALPNProtocols: ['http/1.1'], ...(isIP(host) === 0 && { servername: host }) });
}

function isSecured({ protocol }: URL): boolean {
  return protocol === 'https:' || protocol === 'wss:';
}
