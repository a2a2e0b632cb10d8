import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Health } from './health.ts';

export interface HealthServer {
  port: number;
  stop(): Promise<void>;
}

/**
 * Answers `GET /live` with 200 while the process runs, and `GET /ready` with 200 while it does its work, else with 503 and
 * what keeps it: `{ "ready": false, "problems": { "store": "..." } }`. Rejects when the port is taken.
 */
export async function startHealthServer(
  health: Health,
  options: { host: string; port: number },
): Promise<HealthServer> {
  const server = createServer(({ method, url }, response) => {
    if (method !== 'GET' && method !== 'HEAD') answer(response, 405, { error: 'GET /live or /ready' });
    else if (url === '/live') answer(response, 200, { live: true });
    else if (url === '/ready')
      answer(response, health.isReady ? 200 : 503, { ready: health.isReady, problems: health.problems });
    else answer(response, 404, { error: 'GET /live or /ready' });
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}
