import type { Readable } from 'node:stream';
import { ClickHouseLogLevel, type ClickHouseSettings, type createClient, type DataFormat } from '@clickhouse/client';
import { tlsFailure } from '../network/tls-failure.ts';

export interface StoreMode {
  /** Makes the store, or the database, when it is not there. */
  create: boolean;
  /** Refuses every statement that would change something. */
  readOnly?: boolean;
}

/** One row of a result, as JSON has it. 64 bit integers are numbers: queries keep them below 2^53 or make them text. */
export type Row = Record<string, unknown>;

/**
 * A ClickHouse of one of two kinds: embedded in this process, or a server over HTTP. Inert until it is opened by
 * `openEmbeddedStore` or `openServerStore`. Every method rejects with a StoreError.
 */
export interface Store {
  readonly access: 'embedded' | 'http';
  /** The cluster that the store spans, as `remote_servers` of its servers names it; absent: it is one ClickHouse. */
  readonly cluster?: string;
  query<T = Row>(sql: string): Promise<T[]>;
  /** The result's bytes in the format that the SQL names, else in `format`. */
  stream(sql: string, format?: string): Promise<Readable>;
  command(sql: string): Promise<void>;
  /**
   * One INSERT of one block. `insert(source)` gives the statement, with `source` as the table function that reads the
   * block; it must not name a FORMAT.
   */
  insertBlock(insert: (source: string) => string, structure: string, block: readonly Uint8Array[]): Promise<void>;
  close(): Promise<void>;
}

/** A text as a ClickHouse literal. */
export function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** ClickHouse says after a text what it was executing. */
const DAMAGE = /\{store_damaged: ([^}]+)\}/;

/** In SQL: 0, or, where a condition holds, the end of the query with a StoreError of code `store_damaged` and this text, without braces. */
export function throwDamaged(condition: string, text: string): string {
  return `throwIf(${condition}, ${literal(`{store_damaged: ${text}}`)})`;
}

export type StoreErrorCode =
  | 'store_in_use'
  | 'store_missing'
  | 'store_not_a_directory'
  | 'store_not_writable'
  | 'store_unreachable'
  | 'store_refused'
  | 'store_full'
  | 'store_damaged'
  | 'store_broken'
  | 'batch_fenced'
  | 'journal_restored'
  | 'pseudonym_key_replaced';

/** The journal's store could not do what was asked. `canRetry`: the same call may go through later. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;
  readonly canRetry: boolean;

  constructor(code: StoreErrorCode, message: string, options: { cause?: unknown; canRetry?: boolean } = {}) {
    super(message, { cause: options.cause });
    this.name = 'StoreError';
    this.code = code;
    this.canRetry = options.canRetry ?? false;
  }
}

type ClickHouseClient = ReturnType<typeof createClient>;

/** The client logs nothing itself: what goes wrong is a StoreError, and its caller knows what it means. */
export const QUIET = { level: ClickHouseLogLevel.OFF };

/** ClickHouse error numbers of a passing state of the server. */
const PASSING = new Set([
  159, // TIMEOUT_EXCEEDED
  164, // READONLY
  202, // TOO_MANY_SIMULTANEOUS_QUERIES
  203, // NO_FREE_CONNECTION
  209, // SOCKET_TIMEOUT
  210, // NETWORK_ERROR
  225, // NO_ZOOKEEPER
  236, // ABORTED
  241, // MEMORY_LIMIT_EXCEEDED
  242, // TABLE_IS_READ_ONLY
  244, // UNEXPECTED_ZOOKEEPER_ERROR
  252, // TOO_MANY_PARTS
  254, // NO_ACTIVE_REPLICAS
  279, // ALL_CONNECTION_TRIES_FAILED
  285, // TOO_FEW_LIVE_REPLICAS
  286, // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
  289, // REPLICA_IS_NOT_IN_QUORUM
  319, // UNKNOWN_STATUS_OF_INSERT
  439, // CANNOT_SCHEDULE_TASK
  999, // KEEPER_EXCEPTION
]);
const NOT_ENOUGH_SPACE = 243;
/** What the operating system refuses while ClickHouse writes: CANNOT_WRITE_TO_FILE_DESCRIPTOR, CANNOT_FSYNC, CANNOT_TRUNCATE_FILE, and others. */
const NO_ROOM = /errno: 28|No space left on device|errno: 122|Disk quota exceeded/;
const THROW_IF = 395;
const AUTHENTICATION_FAILED = 516;
/** What reading says of a part that a merge has left empty on a full disk: CORRUPTED_DATA. */
const DAMAGED = 246;

/** What the embedded store and the server do alike with the client. */
export async function queryRows<T = Row>(client: ClickHouseClient, sql: string): Promise<T[]> {
  return guarded(async () => {
    const result = await client.query({ query: sql, format: 'JSONEachRow' });
    return result.json<T>();
  });
}

export async function streamResult(client: ClickHouseClient, sql: string, format?: string): Promise<Readable> {
  const settings: ClickHouseSettings = {
    // A server that fails in the middle of a result would write its error among the rows.
    wait_end_of_query: 1,
    // Any format's name will do; the client's type lists the ones it can parse itself.
    ...(format !== undefined && { default_format: format as DataFormat }),
  };
  return guarded(async () => (await client.exec({ query: sql, clickhouse_settings: settings })).stream);
}

export async function runCommand(client: ClickHouseClient, sql: string): Promise<void> {
  await guarded(() => client.command({ query: sql }));
}

export async function guarded<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw asStoreError(cause);
  }
}

function asStoreError(cause: unknown): StoreError {
  if (cause instanceof StoreError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  const number = errorNumber(cause);
  if (number === null) {
    const refusal = tlsFailure(cause, 'store.tls');
    if (refusal !== null) return new StoreError('store_refused', `ClickHouse cannot be trusted: ${refusal}`, { cause });
    return new StoreError('store_unreachable', `ClickHouse does not answer: ${message}`, { cause, canRetry: true });
  }
  if (number === THROW_IF) {
    const [, damage] = DAMAGE.exec(message) ?? [];
    return damage === undefined
      ? new StoreError('batch_fenced', 'the journal has moved on', { cause })
      : new StoreError('store_damaged', damage, { cause });
  }
  if (number === AUTHENTICATION_FAILED) {
    const remedy = 'see store.username and its password';
    return new StoreError('store_refused', `ClickHouse refuses the login (error ${number}); ${remedy}`, { cause });
  }
  if (number === NOT_ENOUGH_SPACE || NO_ROOM.test(message)) {
    const text = `ClickHouse has no room on its disk (error ${number}): ${message}; make room on it`;
    return new StoreError('store_full', text, { cause, canRetry: true });
  }
  if (number === DAMAGED) {
    const remedy =
      'Make room on its disk and restart ClickHouse, or DETACH and ATTACH the table, within eight minutes: it still has ' +
      'the parts that the damaged one was merged from';
    return new StoreError('store_damaged', `ClickHouse cannot read what it holds: ${message}. ${remedy}`, {
      cause,
      canRetry: true,
    });
  }
  return new StoreError('store_refused', `ClickHouse refused (error ${number}): ${message}`, {
    cause,
    canRetry: PASSING.has(number),
  });
}

/** ClickHouse's number of an error; null where the error is not ClickHouse's. The two kinds of store have classes of their own. */
function errorNumber(cause: unknown): number | null {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return /^\d+$/.test(code) ? Number(code) : null;
}
