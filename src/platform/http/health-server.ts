import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Health } from './health.ts';

export interface HealthServer {
  port: number;
  stop(): Promise<void>;
}

/** What `GET /metrics` answers; a registry of prom-client is one. */
export interface MetricsText {
  contentType: string;
  metrics(): Promise<string>;
}

const WAYS = 'GET /health/live, /health/ready or /metrics';

/**
 * Answers `GET /health/live` (or `/live`) with 200 while the process runs, and `GET /health/ready` (or `/ready`) with 200 while
 * it does its work, else with 503 and what keeps it: `{ "ready": false, "problems": { "store": "..." } }`. `GET /metrics` answers
 * in Prometheus's text format. Rejects when the port is taken.
 */
export async function startHealthServer(
  health: Health,
  metrics: MetricsText,
  options: { host: string; port: number },
): Promise<HealthServer> {
  const server = createServer(({ method, url }, response) => {
    if (method !== 'GET' && method !== 'HEAD') answer(response, 405, { error: WAYS });
    else if (url === '/health/live' || url === '/live') answer(response, 200, { live: true });
    else if (url === '/health/ready' || url === '/ready')
      answer(response, health.isReady ? 200 : 503, { ready: health.isReady, problems: health.problems });
    else if (url === '/metrics') void answerMetrics(response, metrics);
    else answer(response, 404, { error: WAYS });
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

async function answerMetrics(response: ServerResponse, metrics: MetricsText): Promise<void> {
  try {
    const text = await metrics.metrics();
    response.writeHead(200, { 'content-type': metrics.contentType }).end(text);
  } catch (error) {
    answer(response, 500, { error: (error as Error).message });
  }
}
