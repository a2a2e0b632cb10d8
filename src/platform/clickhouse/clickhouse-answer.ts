import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { hostname } from 'node:os';
import { toHttpException } from './clickhouse-exception.ts';

/** Answers one request as ClickHouse's HTTP interface does: with its headers, and a fault of `work` as its exceptions look. */
export async function answerAsClickHouse(
  { timezone, version }: { timezone: string; version: string },
  url: URL,
  response: ServerResponse,
  work: () => Promise<void>,
): Promise<void> {
  response.setHeader('X-ClickHouse-Server-Display-Name', hostname());
  response.setHeader('X-ClickHouse-Query-Id', url.searchParams.get('query_id') ?? randomUUID());
  response.setHeader('X-ClickHouse-Timezone', timezone);
  try {
    await work();
  } catch (error) {
    const { status, code, body } = toHttpException(error, version);
    response.writeHead(status, { 'X-ClickHouse-Exception-Code': code, 'Content-Type': 'text/plain; charset=UTF-8' });
    response.end(body);
  }
}

/** Texts, as ClickHouse writes them; what the embedded engine does not count is left out. `elapsed` is in seconds. */
export function summaryOf(result: { rowsRead: number; bytesRead: number; elapsed: number }): string {
  return JSON.stringify({
    read_rows: String(result.rowsRead),
    read_bytes: String(result.bytesRead),
    elapsed_ns: String(Math.round(result.elapsed * 1e9)),
  });
}
