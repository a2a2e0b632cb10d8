import { digestParts, isRowsDigest, rowsDigestExpression } from '../../platform/clickhouse/rows-digest.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';

/** Most faults of one kind that are reported. */
const SHOWN = 20;

/**
 * What the rows of facts have that were booked by a version without digests. Its corrections had one that cannot be computed
 * from the table: 64 hex digits.
 */
const NOT_RECORDED = 'not recorded';
const EARLIER_FORM = '^[0-9a-f]{64}$';

/** Since this migration facts are booked with a digest. */
const DIGESTS_SINCE = '0024_fact_digests.sql';
/** A store began with digests where its first migration was applied at most so long before. */
const ONE_RUN_MS = 10 * 60_000;
/** How much the clock of what books facts may be ahead of the store's, which says when a migration was applied. */
const CLOCK_SKEW_MS = 5 * 60_000;

/**
 * Checks the digests of a table's facts. A fact has one, on one of its rows, and its rows have the content that they were booked with. Only
 * the first facts may have none, and only if they were booked before the store had digests. Yields a message for each reported fault.
 */
export async function* auditFactDigests(store: Store, table: string, bookedAt: string): AsyncGenerator<string> {
  if (!(await hasDigests(store, table))) return;
  yield* await lostDigests(store, table, bookedAt);
  yield* await changedRows(store, table);
}

/** A store that no command has migrated since has facts without digests. */
async function hasDigests(store: Store, table: string): Promise<boolean> {
  const columns = await store.query(
    `SELECT 1 FROM system.columns WHERE database = currentDatabase() AND table = ${literal(table)} AND name = 'digest'`,
  );
  return columns.length > 0;
}

async function lostDigests(store: Store, table: string, bookedAt: string): Promise<string[]> {
  const { beganWithDigests, sinceMs } = await digestsSince(store);
  const isEarlier = table === 'corrections' ? `match(digest, ${literal(EARLIER_FORM)})` : 'false';
  const first = `(SELECT min(number) FROM ${table} WHERE ${isRowsDigest('digest')})`;
  const isLate = beganWithDigests || `booked_ms >= ${sinceMs + CLOCK_SKEW_MS}`;
  const faults = await store.query<{ number: number; state: string; first: number; booked_ms: string }>(
    `SELECT number, state, ${first} AS first, booked_ms FROM (SELECT number, toUnixTimestamp64Milli(max(${bookedAt})) AS booked_ms, multiIf(` +
      `countIf(digest != '') = 1 AND countIf(${isRowsDigest('digest')}) = 1, 'recorded', ` +
      `countIf(digest != ${literal(NOT_RECORDED)}) = 0 OR countIf(digest != '') = 1 AND countIf(${isEarlier}) = 1, 'none', 'lost') AS state ` +
      `FROM ${table} GROUP BY number) WHERE state = 'lost' OR state = 'none' AND (first BETWEEN 1 AND number OR ${isLate}) ` +
      `ORDER BY number LIMIT ${SHOWN}`,
  );
  return faults.map(({ number, state, first: since, booked_ms }) => {
    if (state === 'lost') return `number ${number} has lost its digest`;
    const [before, booked] = [Number(since), Number(booked_ms)];
    if (before > 0 && before < Number(number))
      return `number ${number} has no digest, and number ${before} before it has one`;
    if (beganWithDigests) return `number ${number} has no digest, and the store began with them`;
    const [at, since24] = [booked, sinceMs].map((ms) => new Date(ms).toISOString());
    return `number ${number} has no digest, and was booked at ${at}: the store has them since ${since24}`;
  });
}

/**
 * Returns since when facts of a store are booked with digests (Unix milliseconds, by the clock of the store). Where the migration was cut in
 * two, that is not known yet.
 */
async function digestsSince(store: Store): Promise<{ beganWithDigests: boolean; sinceMs: number }> {
  // A store whose tables were copied from another one has the migrations of both.
  const [row] = await store.query<{ since: string; began: string; known: string }>(
    `SELECT toUnixTimestamp(minIf(applied_at, name = ${literal(DIGESTS_SINCE)})) AS since, toUnixTimestamp(min(applied_at)) AS began, ` +
      `countIf(name = ${literal(DIGESTS_SINCE)}) AS known FROM schema_migrations`,
  );
  if (Number(row.known) === 0) return { beganWithDigests: false, sinceMs: Number.MAX_SAFE_INTEGER - CLOCK_SKEW_MS };
  const [sinceMs, beganMs] = [Number(row.since) * 1000, Number(row.began) * 1000];
  return { beganWithDigests: sinceMs - beganMs <= ONE_RUN_MS, sinceMs };
}

async function changedRows(store: Store, table: string): Promise<string[]> {
  const { digits, structure } = digestParts('digest');
  const structures = await store.query<{ structure: string }>(
    `SELECT DISTINCT ${structure} AS structure FROM ${table} WHERE ${isRowsDigest('digest')}`,
  );
  const messages: string[] = [];
  for (const { structure: over } of structures) {
    const differing = await store.query<{ number: number; has: string; says: string }>(
      `SELECT number, ${rowsDigestExpression(over)} AS has, anyIf(${digits}, digest != '') AS says FROM ${table} ` +
        `WHERE number IN (SELECT number FROM ${table} WHERE ${structure} = ${literal(over)}) ` +
        `GROUP BY number HAVING has != says ORDER BY number LIMIT ${SHOWN}`,
    );
    for (const { number, has, says } of differing) {
      messages.push(
        `the rows of number ${number} give ${has.slice(0, 12)}, and ${says.slice(0, 12)} is booked: they were changed`,
      );
    }
  }
  return messages;
}
