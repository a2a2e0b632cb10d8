import { RowBinaryReader } from '../journal/row-binary.ts';

/** Records of one application and reason, as a batch row's `outcomes` has them; the application is empty where none was recognised. */
export type OutcomeList = ReadonlyMap<string, number>;

export function outcomeKey(applicationId: string, reason: string): string {
  return `${reason} ${applicationId || '-'}`;
}

/** Reads the first three of a batch's lists: application ids, reasons, records. */
export function outcomeList([applicationIds, reasons, records]: readonly Uint8Array[]): OutcomeList {
  const counts = new RowBinaryReader(Buffer.from(records));
  const names = texts(applicationIds);
  const words = texts(reasons);
  return new Map(names.map((applicationId, at) => [outcomeKey(applicationId, words[at]), counts.uint64()]));
}

function texts(bytes: Uint8Array): string[] {
  const reader = new RowBinaryReader(Buffer.from(bytes));
  const found: string[] = [];
  while (reader.remaining > 0) found.push(reader.text());
  return found;
}
