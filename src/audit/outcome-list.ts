import { RowBinaryReader } from '../journal/row-binary.ts';

/** Records and octets of one application and reason. */
export interface OutcomeTotal {
  records: number;
  octets: number;
}

/** What became of a batch's records, by `outcomeKey`. */
export type OutcomeList = ReadonlyMap<string, OutcomeTotal>;

/** An identity that a batch's record claimed: the record's place in the batch, and what it was. */
export interface SeenRecord {
  place: number;
  nodeId: string;
  sequence: number;
  fingerprint: number;
}

/** The application is empty where none was recognised. */
export function outcomeKey(applicationId: string, reason: string): string {
  return `${reason} ${applicationId || '-'}`;
}

/** Reads the first four of a batch's lists: application ids, reasons, records, octets. */
export function outcomeList([applicationIds, reasons, records, octets]: readonly Uint8Array[]): OutcomeList {
  const [counts, sums] = [readerOf(records), readerOf(octets)];
  const words = texts(reasons);
  return new Map(
    texts(applicationIds).map((applicationId, at) => [
      outcomeKey(applicationId, words[at]),
      { records: counts.uint64(), octets: sums.uint64() },
    ]),
  );
}

/** Reads the other five: node ids, and for each identity its place, node, number and fingerprint. */
export function seenList(lists: readonly Uint8Array[]): SeenRecord[] {
  const [nodeIds, places, nodes, sequences, fingerprints] = lists.slice(4);
  const names = texts(nodeIds);
  const [place, node, sequence, fingerprint] = [places, nodes, sequences, fingerprints].map(readerOf);
  const seen: SeenRecord[] = [];
  while (place.remaining > 0) {
    seen.push({
      place: place.uint32(),
      nodeId: names[node.uint32()],
      sequence: sequence.uint64(),
      fingerprint: fingerprint.uint32(),
    });
  }
  return seen;
}

function readerOf(bytes: Uint8Array): RowBinaryReader {
  return new RowBinaryReader(Buffer.from(bytes));
}

function texts(bytes: Uint8Array): string[] {
  const reader = readerOf(bytes);
  const found: string[] = [];
  while (reader.remaining > 0) found.push(reader.text());
  return found;
}
