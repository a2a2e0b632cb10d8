import { availableParallelism, totalmem } from 'node:os';

/** What the questions to a store may take. No setting of a client lifts one; a setting may lower it. */
export interface QueryLimits {
  /** Of one answer. */
  maxResultRows: number;
  /** Of one answer: as ClickHouse counts its columns, and as it is sent, before compression. */
  maxResultBytes: number;
  /** Of all questions together; one may take three quarters of it. */
  maxMemoryBytes: number;
  executionTimeoutMs: number;
  maxThreads: number;
  /** Further questions wait, MAX_WAITING of them at most. */
  maxConcurrentQueries: number;
}

const MIB = 2 ** 20;
/** ClickHouse itself takes 300 MiB before the first question. */
export const MIN_MEMORY_BYTES = 512 * MIB;
export const MAX_WAITING = 100;
/** 20 days: a timer of Node.js cannot wait for more than 24. */
export const LONGEST_TIMEOUT_MS = 20 * 86_400_000;

/** Limits that leave a machine of 4 GiB alive. `memoryBytes` is the memory of the machine, or of its container. */
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

/** Limits of one question of the operator: rows, octets and time are unbounded, as it can be interrupted; memory is not. */
export function operatorLimits(): QueryLimits {
  const unbounded = Number.MAX_SAFE_INTEGER;
  return {
    ...defaultLimits(),
    maxResultRows: unbounded,
    maxResultBytes: unbounded,
    executionTimeoutMs: LONGEST_TIMEOUT_MS,
  };
}

/** The resident memory at which the engine's process is ended: what ClickHouse counts, and room for what it does not. */
export function residentLimitBytes({ maxMemoryBytes }: QueryLimits): number {
  return Math.floor(maxMemoryBytes * 1.25) + 512 * MIB;
}

/** ClickHouse's settings of a limit; a client may lower each, down to 1. */
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

/** ClickHouse's own bounds of a statement's size: a deeper one than its default lets the parser run out of stack. */
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
