import type {
  CounterRow,
  IdentityRow,
  RestoredCounters,
  RestoredIdentities,
} from '../../src/rating/restored-columns.ts';
import { PSEUDONYM_OCTETS, PSEUDONYM_WORDS } from '../../src/rating/subscribers.ts';

/** Returns counters in the form that a lane restores. */
export function counterColumns(rows: readonly CounterRow[]): RestoredCounters {
  const subscriber = new Uint32Array(rows.length * PSEUDONYM_WORDS);
  rows.forEach((row, at) => {
    new Uint8Array(subscriber.buffer).set(row.subscriber, at * PSEUDONYM_OCTETS);
  });
  return {
    count: rows.length,
    subscriber,
    plan: rows.map((_, at) => at),
    planIds: rows.map(({ planId }) => planId),
    periodStart: Uint16Array.from(rows, (row) => row.periodStart),
    usedOctets: Float64Array.from(rows, (row) => row.usedOctets),
    carry: Uint16Array.from(rows, (row) => row.carry),
    about: { counters: rows.length, subscribers: rows.length },
  };
}

/** Returns identities in the form that a lane restores. */
export function identityColumns(rows: readonly IdentityRow[]): RestoredIdentities {
  return {
    count: rows.length,
    ordinal: Float64Array.from(rows, (row) => row.ordinal),
    node: Uint32Array.from(rows, (_, at) => at),
    nodeIds: rows.map(({ nodeId }) => nodeId),
    sequence: Float64Array.from(rows, (row) => row.sequence),
    fingerprint: Uint32Array.from(rows, (row) => row.fingerprint),
  };
}
