import { PSEUDONYM_WORDS } from '../billing/pseudonym.ts';
import type { RestoredCounters, RestoredIdentities } from '../billing/restored-columns.ts';
import type { NativeBlockReader } from '../platform/native-columns.ts';

/** Subscriber, plan, first day, use and carry, as ClickHouse's Native format has them. */
export function readCounters(block: NativeBlockReader, about: RestoredCounters['about']): RestoredCounters {
  const subscriber = block.fixedString(PSEUDONYM_WORDS);
  const { texts: planIds, keys: plan } = block.fewTexts();
  const [periodStart, usedOctets, carry] = [block.uint16(), block.float64(), block.uint16()];
  return { count: block.rows, subscriber, plan, planIds, periodStart, usedOctets, carry, about };
}

/** Of each batch: its first ordinal, its nodes, and of each identity the row, the node, the number and the fingerprint. */
export function readIdentities(block: NativeBlockReader): RestoredIdentities[] {
  const position = block.float64();
  const nodes = block.arraysOfTexts();
  const [row, node] = [block.arraysOfUint32(), block.arraysOfUint32()];
  const [sequence, fingerprint] = [block.arraysOfFloat64(), block.arraysOfUint32()];
  return Array.from({ length: block.rows }, (_, at) => {
    const [start, end] = [row.ends[at - 1] ?? 0, row.ends[at]];
    return {
      count: end - start,
      ordinal: Float64Array.from(row.elements.subarray(start, end), (place) => position[at] + place),
      node: node.elements.subarray(start, end),
      nodeIds: nodes.elements.slice(nodes.ends[at - 1] ?? 0, nodes.ends[at]),
      sequence: sequence.elements.subarray(start, end),
      fingerprint: fingerprint.elements.subarray(start, end),
    };
  });
}

/** Those with ordinals in [from, to), which are ascending. */
export function within(identities: RestoredIdentities, from: number, to: number): RestoredIdentities {
  const { ordinal, node, sequence, fingerprint } = identities;
  const placeOf = (bound: number) => {
    const place = ordinal.findIndex((value) => value >= bound);
    return place < 0 ? ordinal.length : place;
  };
  const [start, end] = [placeOf(from), placeOf(to)];
  return {
    ...identities,
    count: end - start,
    ordinal: ordinal.subarray(start, end),
    node: node.subarray(start, end),
    sequence: sequence.subarray(start, end),
    fingerprint: fingerprint.subarray(start, end),
  };
}
