import { FITS_HASH } from '../../journal/kept-catalogues.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import type { AuditFault } from './invariants.ts';

/** Most faults of one kind that are reported. */
const SHOWN = 20;

/** What names catalogues. A correction that reverses a recycling rates nothing and names none. */
const NAMED_BY = [
  "SELECT catalogue_hash AS hash, concat('batch ', lane, '@', toString(lane_sequence)) AS by FROM journal WHERE kind = 'batch'",
  "SELECT catalogue_hash AS hash, concat('correction ', toString(number)) AS by FROM corrections WHERE kind = 'head'",
];

/**
 * Checks the catalogues that the store keeps: all that batches and corrections name are there, and each has the document that its hash is
 * of. Yields every reported fault.
 */
export async function* auditCatalogues(store: Store): AsyncGenerator<AuditFault> {
  const changed = await store.query<{ hash: string; has: string; documents: number }>(
    `SELECT hash, min(lower(hex(SHA256(document)))) AS has FROM catalogues WHERE NOT (${FITS_HASH}) GROUP BY hash ORDER BY hash LIMIT ${SHOWN}`,
  );
  for (const { hash, has } of changed) {
    yield faultOf(`catalogue ${hash}: a kept document has the hash ${has.slice(0, 12)}: it was changed`);
  }
  const missing = await store.query<{ hash: string; by: string }>(
    `SELECT hash, min(by) AS by FROM (${NAMED_BY.join(' UNION ALL ')}) WHERE hash != '' ` +
      `AND hash NOT IN (SELECT hash FROM catalogues) GROUP BY hash ORDER BY hash LIMIT ${SHOWN}`,
  );
  for (const { hash, by } of missing) yield faultOf(`catalogue ${hash} is missing, and ${by} names it`);
}

function faultOf(message: string): AuditFault {
  return { invariant: 'catalogues', lane: '', laneSequence: 0, message };
}
