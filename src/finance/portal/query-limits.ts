import { availableParallelism, totalmem } from 'node:os';

/** Limits of the queries to a store. A client's setting may lower a limit and never raises it. */
export interface QueryLimits {
  /** Of one answer. */
  maxResultRows: number;
  /** Of one answer: as ClickHouse counts its columns, and as it is sent, before compression. */
  maxResultBytes: number;
  /** Of all queries together; one may use three quarters of it. */
  maxMemoryBytes: number;
  executionTimeoutMs: number;
  maxThreads: number;
  /** Further queries wait, MAX_WAITING of them at most. */
  maxConcurrentQueries: number;
}

const MIB = 2 ** 20;
/** ClickHouse itself takes 300 MiB before the first query. */
export const MIN_MEMORY_BYTES = 512 * MIB;
export const MAX_WAITING = 100;
/** 20 days: a timer of Node.js cannot wait for more than 24. */
const LONGEST_TIMEOUT_MS = 20 * 86_400_000;

/**
 * Returns limits that keep a machine of 4 GiB responsive. `memoryBytes` is the memory of the machine, or of its container.
 */
export function defaultLimits(memoryBytes = machineMemoryBytes()): QueryLimits {
  return {
    maxResultRows: 10_000_000,
    maxResultBytes: 1024 * MIB,
    maxMemoryBytes: Math.max(MIN_MEMORY_BYTES, Math.floor((memoryBytes * 0.35) / MIB) * MIB),
    executionTimeoutMs: 120_000,
    maxThreads: availableParallelism(),
    maxConcurrentQueries: 4,
  };
}

/**
 * Returns limits of one query by the operator: rows, bytes and time are unlimited, as it can be interrupted; memory is not.
 */
export function operatorLimits(): QueryLimits {
  const unbounded = Number.MAX_SAFE_INTEGER;
  return {
    ...defaultLimits(),
    maxResultRows: unbounded,
    maxResultBytes: unbounded,
    executionTimeoutMs: LONGEST_TIMEOUT_MS,
  };
}

/**
 * Returns the resident memory at which the engine's process is ended: what ClickHouse counts, plus a reserve for the rest.
 */
export function residentLimitBytes({ maxMemoryBytes }: QueryLimits): number {
  return Math.floor(maxMemoryBytes * 1.25) + 512 * MIB;
}

/** Returns ClickHouse's settings of the limits; a client may lower each, down to 1. */
export function limitSettings(limits: QueryLimits): Readonly<Record<string, number>> {
  return {
    max_result_rows: limits.maxResultRows,
    max_result_bytes: limits.maxResultBytes,
    max_memory_usage: Math.floor(limits.maxMemoryBytes * 0.75),
    max_memory_usage_for_user: limits.maxMemoryBytes,
    max_execution_time: Math.ceil(limits.executionTimeoutMs / 1000),
    max_threads: limits.maxThreads,
    max_temporary_data_on_disk_size_for_query: limits.maxMemoryBytes * 4,
    max_temporary_data_on_disk_size_for_user: limits.maxMemoryBytes * 4,
  };
}

/** ClickHouse's own bounds of a statement's size: deeper nesting than its default overflows the parser's stack. */
export const STATEMENT_BOUNDS: Readonly<Record<string, number>> = {
  max_query_size: 262_144,
  max_parser_depth: 1000,
  max_parser_backtracks: 1_000_000,
  max_ast_depth: 1000,
  max_ast_elements: 50_000,
  max_expanded_ast_elements: 500_000,
  max_subquery_depth: 100,
};

function machineMemoryBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < totalmem() ? constrained : totalmem();
}
