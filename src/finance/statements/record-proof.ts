import * as z from 'zod';
import { type ExportedRow, ROW_FIELDS, rowLeaf } from './exported-row.ts';
import { MerkleTree, rootOfProof } from './merkle.ts';
import type { FileRow } from './rows-file.ts';
import type { Statement } from './statement-document.ts';

export const PROOF_FORMAT = 'zerorate-proof-1';

const hash = () => z.string().regex(/^[0-9a-f]{64}$/, { error: 'expected 64 hex digits' });
const rowSchema = z.strictObject(Object.fromEntries(ROW_FIELDS.map((name) => [name, z.string()])));

/** Proof that one record is in a bill: its rows, each with its path to the root. It can be checked without other data. */
export const recordProofSchema = z.strictObject({
  format: z.literal(PROOF_FORMAT),
  sponsorId: z.string(),
  month: z.string(),
  merkleRoot: hash(),
  leaves: z.int().min(1),
  rows: z
    .array(
      z.strictObject({
        index: z.int().min(0).describe('Place among the leaves, from 0.'),
        row: rowSchema.describe('The row as it was exported.'),
        path: z.array(hash()).describe('Siblings from the leaf to the root.'),
      }),
    )
    .min(1)
    .describe('The record’s charge, and what corrections made of it.'),
});
export type RecordProof = z.output<typeof recordProofSchema>;

/** The place of a record. */
export interface RecordPlace {
  topic: string;
  partition: number;
  offset: number;
}

/**
 * Returns a record's proof from the rows that a statement covers. A text says why there is none: the record is not among the
 * rows (`record_missing`), or they are not the statement's (`rows_differ`).
 */
export async function proveRecord(
  { sponsor, month, proof }: Statement,
  rows: AsyncIterable<FileRow>,
  { topic, partition, offset }: RecordPlace,
): Promise<RecordProof | 'record_missing' | 'rows_differ'> {
  const tree = new MerkleTree();
  const proven: { row: ExportedRow; path: Uint8Array[]; index: number }[] = [];
  for await (const { row } of rows) {
    const isRecord = row.topic === topic && row.partition === String(partition) && row.offset === String(offset);
    if (isRecord) proven.push(Object.assign(tree.addProven(rowLeaf(row)), { row }));
    else tree.add(rowLeaf(row));
  }
  if (hex(tree.root()) !== proof.merkleRoot) return 'rows_differ';
  if (proven.length === 0) return 'record_missing';
  return {
    format: PROOF_FORMAT,
    sponsorId: sponsor.id,
    month,
    merkleRoot: proof.merkleRoot,
    leaves: tree.count,
    rows: proven.map(({ index, row, path }) => ({ index, row, path: path.map(hex) })),
  };
}

/**
 * Returns the faults of a proof, a sentence each, with the statement that it belongs to. Without the statement the proof's
 * own root is taken as given: compare that root with a trusted one.
 */
export function verifyRecordProof(proof: RecordProof, statement: Statement | null): string[] {
  const { merkleRoot, leaves, rows, sponsorId, month } = proof;
  const places = new Set(rows.map(({ row }) => JSON.stringify([row.topic, row.partition, row.offset])));
  return [
    ...(statement === null ? [] : statementFaults(proof, statement)),
    ...(places.size === 1 ? [] : ['rows: are not all of one record']),
    ...rows.flatMap(({ index, row, path }, at) => {
      const name = `rows[${at}]`;
      if (at > 0 && index <= rows[at - 1].index) return [`${name}: leaf ${index} is not after the previous one`];
      if (row.sponsor_id !== sponsorId) return [`${name}: is of sponsor ${row.sponsor_id}, the proof of ${sponsorId}`];
      if (row.month > month) return [`${name}: is of ${row.month}, the proof of ${month}`];
      const siblings = path.map((text) => Buffer.from(text, 'hex'));
      const root = rootOfProof(rowLeaf(row as ExportedRow), { index, path: siblings }, leaves);
      if (root === null) return [`${name}: its path is not one of leaf ${index} of ${leaves}`];
      return hex(root) === merkleRoot ? [] : [`${name}: leads to the root ${hex(root)}, and not to ${merkleRoot}`];
    }),
  ];
}

function statementFaults(proof: RecordProof, { sponsor, month, proof: { merkleRoot, leaves } }: Statement): string[] {
  const expected = { sponsorId: sponsor.id, month, merkleRoot, leaves };
  return (Object.keys(expected) as (keyof typeof expected)[])
    .filter((key) => proof[key] !== expected[key])
    .map((key) => `${key}: ${proof[key]} in the proof, ${expected[key]} in the statement`);
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex');
}
