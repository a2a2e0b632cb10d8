import type { ClickHouseRequest } from '../../platform/clickhouse/clickhouse-request.ts';

export type Query = Omit<ClickHouseRequest, 'data'>;

/** The costs of a query. `elapsed` is in seconds, as ClickHouse counts it. */
export interface QuerySummary {
  rowsRead: number;
  bytesRead: number;
  elapsed: number;
}

/** Messages to the engine's process. The answer is written to the named pipe `pipe`. */
export type EngineRequest =
  | { kind: 'ask'; id: number; query: Query; pipe: string }
  | { kind: 'cancel'; id: number }
  | { kind: 'stop' };

/** Messages from the engine's process. */
export type EngineReport =
  | { kind: 'opened'; version: string; timezone: string }
  | { kind: 'unlimited' }
  | { kind: 'started'; id: number; format: string }
  | { kind: 'ended'; id: number; summary: QuerySummary }
  | { kind: 'failed'; id: number; message: string };
