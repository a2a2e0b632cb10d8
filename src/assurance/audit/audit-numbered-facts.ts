import type { Store } from '../../platform/clickhouse/store.ts';
import { auditFactDigests } from './audit-fact-digests.ts';
import type { AuditFault } from './invariants.ts';

/** A table whose facts are numbered from 1 without a gap. */
interface NumberedFacts {
  /** SQL: a row for each fact. */
  facts: string;
  /** The column that says when a fact was booked. */
  bookedAt: string;
  /** SQL: numbers of facts that something else in the store was booked after (`number`), and what (`by`). */
  namedBy: readonly string[];
}

const batchesNaming = (column: string) =>
  `SELECT ${column} AS number, concat('batch ', lane, '@', toString(lane_sequence)) AS by FROM journal WHERE kind = 'batch'`;
const closingsNaming = (column: string) =>
  `SELECT ${column} AS number, concat('closing ', toString(closings.number)) AS by FROM closings`;

/**
 * All numbered facts of a store. Nothing names the states of the pseudonym key, and nothing a fact of another kind that came after the last
 * batch and closing.
 */
export const NUMBERED_FACTS = {
  account_entries: {
    facts: 'account_entries',
    bookedAt: 'booked_at',
    namedBy: [batchesNaming('suspension_number'), closingsNaming('last_entry')],
  },
  campaign_facts: {
    // An audience change has a row for each subscriber.
    facts: '(SELECT DISTINCT number, idempotency_key FROM campaign_facts)',
    bookedAt: 'booked_at',
    namedBy: [batchesNaming('campaign_number')],
  },
  closings: { facts: 'closings', bookedAt: 'closed_at', namedBy: [batchesNaming('closing_number')] },
  corrections: {
    facts: "corrections WHERE kind = 'head'",
    bookedAt: 'booked_at',
    namedBy: [closingsNaming('last_correction')],
  },
  pseudonym_keys: { facts: 'pseudonym_keys', bookedAt: 'booked_at', namedBy: [] },
  recyclings: {
    // A recycling has a row for each rejection.
    facts: '(SELECT DISTINCT number FROM recyclings)',
    bookedAt: 'claimed_at',
    namedBy: [
      // Corrected records are booked as `recycled/NUMBER/TOPIC`.
      "SELECT toUInt64OrZero(extract(topic, '^recycled/(\\\\d+)/')) AS number, concat('log ', topic, '-', toString(partition)) AS by " +
        "FROM journal WHERE kind = 'batch' AND startsWith(topic, 'recycled/')",
      "SELECT recycling AS number, concat('correction ', toString(corrections.number)) AS by FROM corrections WHERE kind = 'head'",
    ],
  },
} satisfies Readonly<Record<string, NumberedFacts>>;

/** Most faults of one kind that are reported. */
const SHOWN = 20;

/**
 * Checks that facts are numbered from 1 without a gap, each number once, up to the last one that anything in the store names; and that each
 * has the digest, and the rows that the digest is over. Yields every reported fault.
 */
export async function* auditNumberedFacts(store: Store): AsyncGenerator<AuditFault> {
  for (const [table, { facts, bookedAt, namedBy }] of Object.entries(NUMBERED_FACTS)) {
    for (const message of await numberFaults(store, facts)) yield faultOf(table, message);
    for (const message of await missingFaults(store, table, namedBy)) yield faultOf(table, message);
    for await (const message of auditFactDigests(store, table, bookedAt)) yield faultOf(table, message);
  }
}

async function numberFaults(store: Store, facts: string): Promise<string[]> {
  const faults = await store.query<{ number: number; times: number; before: number }>(
    'SELECT number, times, before FROM (' +
      'SELECT number, count() AS times, lagInFrame(number) OVER (ORDER BY number ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before ' +
      `FROM ${facts} GROUP BY number) WHERE times != 1 OR number != before + 1 ORDER BY number LIMIT ${SHOWN}`,
  );
  return faults.flatMap(({ number, times, before }) => [
    ...(Number(times) === 1 ? [] : [`number ${number} occurs ${times} times`]),
    ...(Number(number) === Number(before) + 1 ? [] : [`number ${number} comes after ${before}`]),
  ]);
}

async function missingFaults(store: Store, table: string, namedBy: readonly string[]): Promise<string[]> {
  if (namedBy.length === 0) return [];
  const missing = await store.query<{ number: number; by: string }>(
    `SELECT number, min(by) AS by FROM (${namedBy.join(' UNION ALL ')}) WHERE number > 0 ` +
      `AND number NOT IN (SELECT number FROM ${table}) GROUP BY number ORDER BY number LIMIT ${SHOWN}`,
  );
  return missing.map(({ number, by }) => `number ${number} is missing, and ${by} names it`);
}

function faultOf(table: string, message: string): AuditFault {
  return { invariant: 'facts', lane: '', laneSequence: 0, message: `${table}: ${message}` };
}
