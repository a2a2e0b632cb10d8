import { PSEUDONYM_OCTETS } from './subscribers.ts';

/** Counters as the journal has them, column by column: a lane may have millions, and no object is made for each. */
export interface RestoredCounters {
  count: number;
  /** Pseudonyms, four words each. */
  subscriber: Uint32Array;
  /** Places in `planIds`. */
  plan: ArrayLike<number>;
  planIds: readonly string[];
  /** First days of the statistics periods, days since 1970-01-01. */
  periodStart: Uint16Array;
  usedOctets: Float64Array;
  carry: Uint16Array;
  /** About how many there are together with those still to come, so that there is room for them at once. */
  about: { counters: number; subscribers: number };
}

/** Identities of records, in the order in which these were read. */
export interface RestoredIdentities {
  count: number;
  /** The records' ordinals in their lane. */
  ordinal: Float64Array;
  /** Places in `nodeIds`. */
  node: Uint32Array;
  nodeIds: readonly string[];
  sequence: Float64Array;
  fingerprint: Uint32Array;
}

export interface CounterRow {
  /** Pseudonym, 16 octets. */
  subscriber: Uint8Array;
  planId: string;
  periodStart: number;
  usedOctets: number;
  carry: number;
}

export interface IdentityRow {
  ordinal: number;
  nodeId: string;
  sequence: number;
  fingerprint: number;
}

/** One by one, for those who are in no hurry. */
export function* counterRows(counters: RestoredCounters): Iterable<CounterRow> {
  const { count, subscriber, plan, planIds, periodStart, usedOctets, carry } = counters;
  const octets = new Uint8Array(subscriber.buffer, subscriber.byteOffset, subscriber.byteLength);
  for (let at = 0; at < count; at++) {
    yield {
      subscriber: octets.subarray(at * PSEUDONYM_OCTETS, (at + 1) * PSEUDONYM_OCTETS),
      planId: planIds[plan[at]],
      periodStart: periodStart[at],
      usedOctets: usedOctets[at],
      carry: carry[at],
    };
  }
}

/** The same for identities. */
export function* identityRows(identities: RestoredIdentities): Iterable<IdentityRow> {
  const { count, ordinal, node, nodeIds, sequence, fingerprint } = identities;
  for (let at = 0; at < count; at++) {
    yield {
      ordinal: ordinal[at],
      nodeId: nodeIds[node[at]],
      sequence: sequence[at],
      fingerprint: fingerprint[at],
    };
  }
}
