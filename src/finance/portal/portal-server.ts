import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { finished } from 'node:stream/promises';
import { ConfigError } from '../../platform/config/config-error.ts';
import { requestRefusal } from '../../platform/http/local-page-guard.ts';
import { answerPage, isPage } from './answer-page.ts';
import { answerQuery } from './answer-query.ts';
import type { QueryLimits } from './query-limits.ts';
import { openReadOnlyEngine, type ReadOnlyEngine } from './read-only-engine.ts';

export interface ServedStore {
  url: string;
  /** Waits for the running queries. */
  stop(): Promise<void>;
}

/** Paths are resolved against it; the guard checks the host. */
const ORIGIN = 'http://localhost';

/** On every answer: no content sniffing, no framing, no other resources. */
const HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy':
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

/**
 * Serves the embedded store in `directory` on the loopback interface: ClickHouse's HTTP interface for queries, and pages for
 * people. Rejects with a StoreError, or a ConfigError when the port is taken.
 */
export async function serveStore(directory: string, port: number, limits?: QueryLimits): Promise<ServedStore> {
  const underWay = new Set<Promise<void>>();
  let opened: (engine: ReadOnlyEngine) => void = () => {};
  let unopened: (error: unknown) => void = () => {};
  const opening = new Promise<ReadOnlyEngine>((resolve, reject) => {
    opened = resolve;
    unopened = reject;
  });
  opening.catch(() => {});
  const server = createServer((request, response) => {
    const answered = opening
      .then((engine) => answer(engine, request, response))
      .catch(() => void response.destroy())
      .finally(() => underWay.delete(answered));
    underWay.add(answered);
  });
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch (cause) {
    throw new ConfigError(`port ${port} cannot be listened on (${(cause as Error).message}); name another with --port`);
  }
  let engine: ReadOnlyEngine;
  try {
    engine = await openReadOnlyEngine(directory, limits);
    opened(engine);
  } catch (error) {
    unopened(error);
    server.close();
    server.closeAllConnections();
    throw error;
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.close();
      await Promise.all(underWay);
      server.closeAllConnections();
      await engine.stop();
    },
  };
}

async function answer(engine: ReadOnlyEngine, request: IncomingMessage, response: ServerResponse): Promise<void> {
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
  const url = URL.canParse(request.url ?? '/', ORIGIN) ? new URL(request.url ?? '/', ORIGIN) : null;
  const refusal = requestRefusal(request);
  if (refusal !== null) refuse(response, 403, refusal);
  else if (url === null) refuse(response, 400, 'that is no path');
  else if (request.method !== 'GET' && request.method !== 'HEAD' && request.method !== 'POST')
    refuse(response, 405, 'GET or POST');
  else if (url.pathname === '/ping') response.end('Ok.\n');
  else if (isPage(request, url)) await answerPage(engine, url, response);
  else if (url.pathname === '/') await answerQuery(engine, request, url, response);
  else refuse(response, 404, 'there is no such page');
  // A disconnected client is no fault.
  await finished(response).catch(() => {});
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=UTF-8' }).end(`${why}\n`);
}
