import { bytesOf } from '../platform/clickhouse/native-block.ts';
import { REASON_CODE } from '../rating/outcome.ts';
import type { FlowBatch } from '../rating/record/flow-batch.ts';
import type { BlockMemory } from './block-memory.ts';

/** The identities that a batch adds to the duplicate window, as the elements of the journal's `seen` column. */
export interface SeenIdentities {
  count: number;
  /** Nodes that the elements count by. */
  nodes: string[];
  type: string;
  elements: Uint8Array[];
}

/**
 * Records that claimed their identity: all that passed the duplicate window, which REASONS lists after `duplicate`, but for
 * the refused ones, which gave theirs back.
 */
export function seenIdentities(batch: FlowBatch, nodeNames: readonly string[], memory: BlockMemory): SeenIdentities {
  const rows = memory.uint32(batch.count);
  let count = 0;
  for (let row = 0; row < batch.count; row++) if (claimsIdentity(batch.reason[row])) rows[count++] = row;

  const places = new Uint32Array(nodeNames.length); // place + 1; 0 is unknown yet
  const nodes: string[] = [];
  const node = memory.uint32(count);
  const sequence = memory.uint32(count * 2);
  const fingerprint = memory.uint32(count);
  for (let at = 0; at < count; at++) {
    const row = rows[at];
    const name = batch.node[row];
    if (places[name] === 0) places[name] = nodes.push(nodeNames[name]);
    node[at] = places[name] - 1;
    sequence[at * 2] = batch.localSequenceNumber[row];
    sequence[at * 2 + 1] = Math.floor(batch.localSequenceNumber[row] / 2 ** 32);
    fingerprint[at] = batch.fingerprint[row];
  }
  return {
    count,
    nodes,
    type: 'Tuple(row UInt32, node UInt32, sequence Int64, fingerprint UInt32)',
    elements: [rows.subarray(0, count), node, sequence, fingerprint].map(bytesOf),
  };
}

function claimsIdentity(reasonCode: number): boolean {
  return reasonCode > REASON_CODE.duplicate && reasonCode !== REASON_CODE.period_closed;
}
