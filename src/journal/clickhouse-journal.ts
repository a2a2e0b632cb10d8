import { nativeBlock, stringColumn, structureOf } from '../platform/clickhouse/native-block.ts';
import { literal, type Store } from '../platform/clickhouse/store.ts';
import type { Catalogue } from '../rating/catalogue/catalogue.ts';
import { insertStatement } from './insert-statement.ts';
import type { Journal } from './journal.ts';
import type { JournalBlock } from './journal-block.ts';
import { JournalReader } from './journal-reader.ts';

/** The journal in ClickHouse, embedded or on a server. */
export class ClickHouseJournal extends JournalReader implements Journal {
  readonly #store: Store;

  constructor(store: Store) {
    super(store);
    this.#store = store;
  }

  insert(block: JournalBlock, deadTokens = 0): Promise<void> {
    const { columns, parts } = block;
    return this.#store.insertBlock((source) => insertStatement(block, source, deadTokens), structureOf(columns), parts);
  }

  async keepCatalogue({ hash, canonicalJson }: Catalogue): Promise<void> {
    const known = await this.#store.query(`SELECT 1 FROM catalogues WHERE hash = ${literal(hash)} LIMIT 1`);
    if (known.length > 0) return;
    // A block and not a literal: a catalogue with a million prefixes is longer than a statement may be.
    const columns = [stringColumn('hash', [hash]), stringColumn('document', [canonicalJson])];
    await this.#store.insertBlock(
      (source) => `INSERT INTO catalogues (hash, document) SELECT hash, document FROM ${source}`,
      structureOf(columns),
      nativeBlock(1, columns),
    );
  }
}
