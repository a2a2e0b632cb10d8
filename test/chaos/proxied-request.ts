import { type IncomingMessage, request as openRequest } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** A complete request that the proxy has received. */
export interface ProxiedRequest {
  method: string;
  /** Path and query, as the client wrote it. */
  target: string;
  headers: Record<string, string>;
  body: Buffer;
}

export interface ProxiedAnswer {
  status: number;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

/** Headers of one connection, not of the message; the length is computed again. */
const OF_THE_CONNECTION = ['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'host', 'expect'];

export async function takeRequest(request: IncomingMessage): Promise<ProxiedRequest> {
  const headers = Object.entries(request.headers).flatMap(([name, value]) =>
    typeof value !== 'string' || OF_THE_CONNECTION.includes(name) ? [] : [[name, value]],
  );
  return {
    method: request.method ?? 'GET',
    target: request.url ?? '/',
    headers: Object.fromEntries(headers),
    body: await buffer(request),
  };
}

/** Returns whether a request books a batch: an insert with a body has its statement in the URL, a query in the body. */
export function isJournalInsert({ target }: Pick<ProxiedRequest, 'target'>): boolean {
  return statementOf(target).startsWith('INSERT INTO journal ');
}

/** Returns the lane of an insert: the part of its token before the `@`. */
export function laneOf({ target }: Pick<ProxiedRequest, 'target'>): string | null {
  return /insert_deduplication_token = '([^']*)@\d+(?:~\d+)?'/.exec(statementOf(target))?.[1] ?? null;
}

function statementOf(target: string): string {
  return new URL(target, 'http://localhost').searchParams.get('query') ?? '';
}

export function withStatement(request: ProxiedRequest, change: (sql: string) => string): ProxiedRequest {
  const url = new URL(request.target, 'http://localhost');
  url.searchParams.set('query', change(statementOf(request.target)));
  return { ...request, target: url.pathname + url.search };
}

/** Executes a request. `bodyOctets`: sends only so much of the body, as if it were complete. */
export function forward(upstream: string, request: ProxiedRequest, bodyOctets?: number): Promise<ProxiedAnswer> {
  const { method, target, headers } = request;
  const body = request.body.subarray(0, bodyOctets ?? request.body.length);
  return new Promise((resolve, reject) => {
    // Uses its own connection: a kept one may belong to a server that has ended.
    const options = { method, agent: false, headers: { ...headers, 'content-length': String(body.length) } };
    const outgoing = openRequest(new URL(target, upstream), options, (answer) => {
      buffer(answer).then(
        (bytes) => resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: bytes }),
        reject,
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Sends the first half of the body, announces more, and breaks the connection. Resolves when it is broken. */
export function forwardHalf(upstream: string, { method, target, headers, body }: ProxiedRequest): Promise<void> {
  return new Promise((resolve) => {
    const options = { method, agent: false, headers: { ...headers, 'content-length': String(body.length) } };
    const outgoing = openRequest(new URL(target, upstream), options);
    outgoing.on('error', () => resolve());
    outgoing.on('close', () => resolve());
    outgoing.write(body.subarray(0, Math.floor(body.length / 2)), () => {
      // The written part must be sent before the connection breaks.
      setTimeout(() => outgoing.destroy(), 20);
    });
  });
}
