import type { Readable } from 'node:stream';

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
