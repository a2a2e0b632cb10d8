import type { FlowBatch } from '../billing/flow-batch.ts';
import { REASON_CODE } from '../billing/outcome.ts';
import { bytesOf, int64Words } from '../platform/native-block.ts';

/** The identities that a batch adds to the duplicate window, as the elements of the journal's `seen` column. */
export interface SeenIdentities {
  count: number;
  /** Nodes that the elements count by. */
  nodes: string[];
  type: string;
  elements: Uint8Array[];
}

/** Records that claimed their identity: all that passed the duplicate window, which REASONS lists after `duplicate`. */
export function seenIdentities(batch: FlowBatch, nodeNames: readonly string[]): SeenIdentities {
  const rows = new Uint32Array(batch.count);
  let count = 0;
  for (let row = 0; row < batch.count; row++) if (claimsIdentity(batch.reason[row])) rows[count++] = row;

  const places = new Map<number, number>();
  const nodes: string[] = [];
  const node = new Uint32Array(count);
  const sequence = new Float64Array(count);
  const fingerprint = new Uint32Array(count);
  for (let at = 0; at < count; at++) {
    const row = rows[at];
    const name = batch.node[row];
    let place = places.get(name);
    if (place === undefined) {
      place = nodes.push(nodeNames[name]) - 1;
      places.set(name, place);
    }
    node[at] = place;
    sequence[at] = batch.localSequenceNumber[row];
    fingerprint[at] = batch.fingerprint[row];
  }
  return {
    count,
    nodes,
    type: 'Tuple(row UInt32, node UInt32, sequence Int64, fingerprint UInt32)',
    elements: [rows.subarray(0, count), node, int64Words(sequence), fingerprint].map(bytesOf),
  };
}

function claimsIdentity(reasonCode: number): boolean {
  return reasonCode > REASON_CODE.duplicate;
}
