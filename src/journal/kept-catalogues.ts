import { hash as digestOf } from 'node:crypto';
import { literal, type Store, StoreError, throwDamaged } from '../platform/clickhouse/store.ts';

const REMEDY = 'do not book into this store; restore it from a backup';

/** In SQL: whether a row of `catalogues` has the document that its hash is of, the SHA-256 of the very text. */
export const FITS_HASH = 'lower(hex(SHA256(document))) = hash';

/**
 * In SQL, what a query reads instead of the table `catalogues`: its rows. The query fails where one that it reads has another document than
 * its hash is of.
 */
export const KEPT_CATALOGUES = `(SELECT hash, document, first_used_at FROM catalogues WHERE ${throwDamaged(
  `NOT (${FITS_HASH})`,
  `the document of a kept catalogue was changed, and \`zerorate audit\` names it: ${REMEDY}`,
)} = 0)`;

/** Returns the canonical JSON of a catalogue that the store keeps. Rejects with a StoreError where it has none, or a document that is another's. */
export async function readKeptCatalogue(store: Pick<Store, 'query'>, hash: string): Promise<string> {
  const document = await findKeptCatalogue(store, hash);
  if (document === null) throw new StoreError('store_damaged', `the store has lost catalogue ${hash}: ${REMEDY}`);
  return document;
}

/** The same; null: the store has none of this hash. */
export async function findKeptCatalogue(store: Pick<Store, 'query'>, hash: string): Promise<string | null> {
  const rows = await store.query<{ document: string }>(
    `SELECT DISTINCT document FROM catalogues WHERE hash = ${literal(hash)}`,
  );
  if (rows.some(({ document }) => digestOf('sha256', document) !== hash)) {
    throw new StoreError('store_damaged', `the document of catalogue ${hash} was changed in the store: ${REMEDY}`);
  }
  return rows[0]?.document ?? null;
}
