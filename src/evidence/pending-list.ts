import { createHash } from 'node:crypto';
import * as z from 'zod';
import { type DocumentPath, formatFault } from '../formats/document-fault.ts';
import { faultsByLine, readYamlDocument } from '../formats/read-yaml-document.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import { yamlText } from './part-text.ts';
import { listedPrefixProblem } from './prefix-text.ts';

export const sha256Schema = z.string().regex(/^[\da-f]{64}$/);
export const timeSchema = z.iso.datetime();
/** Of a list: where it is from. */
export const listFields = {
  feed: z.string(),
  application: z.string(),
  source: z.string(),
  sourceSha256: sha256Schema,
  fetchedAt: timeSchema,
  fetchedBy: z.string().optional(),
  /** When the list was made, as it says itself. */
  createdAt: timeSchema.optional(),
};
export const approvalsSchema = z.array(z.strictObject({ by: z.string(), at: timeSchema, from: timeSchema.optional() }));

const pendingSchema = z.strictObject({
  ...listFields,
  /** The part that it was compared with; null: none was in force. */
  partSha256: sha256Schema.nullable(),
  notes: z.array(z.string()),
  approvals: approvalsSchema,
  /** When the last approval that is needed was given. An approval that was interrupted after it is completed by the next command. */
  decidedAt: timeSchema.optional(),
  /** Of all other fields. */
  sha256: sha256Schema,
  prefixes: z.array(z.string()),
});

/** A list that waits for approval. Its prefixes are as `prefixText` writes them, and each person approves it once. */
export type PendingList = Omit<z.output<typeof pendingSchema>, 'sha256'>;

const COMMENT =
  'Waits for approval, and is not in force: see `zerorate evidence show` and `zerorate evidence approve`. Not to be edited.';

/** Returns a pending list as its file has it, with the SHA-256 of all that people approve. */
export function pendingText({ prefixes, ...rest }: PendingList): string {
  const fields = { ...rest, sha256: hashOfList({ prefixes, ...rest }) };
  return yamlText(
    COMMENT,
    fields,
    prefixes.map((prefix) => JSON.stringify(prefix)),
  );
}

/** Reads what `pendingText` wrote for a feed. Throws a ConfigError on anything else: approvals are for the very list that was fetched. */
export function parsePending(text: string, path: string, feed: string): PendingList {
  const refuse = (faults: string[]) =>
    new ConfigError([...faults, `${path}: is no pending list of feed ${feed}; remove it, and fetch the list again`]);
  const read = readYamlDocument(text, path, pendingSchema);
  if (read.faults !== undefined) throw refuse(read.faults.map(formatFault));
  const { sha256, ...list } = read.value;
  const problems = problemsOf(list, feed);
  if (problems.length === 0 && sha256 !== hashOfList(list)) {
    const message =
      'is not of the other fields: the file was changed by hand, and its approvals are not for what it has now';
    problems.push({ path: ['sha256'], message });
  }
  if (problems.length > 0) throw refuse(faultsByLine(problems, path, read.locate).map(formatFault));
  return list;
}

function problemsOf({ feed: own, approvals, prefixes }: PendingList, feed: string) {
  const problems: { path: DocumentPath; message: string }[] = [];
  if (own !== feed) problems.push({ path: ['feed'], message: `is ${own}, and the file is of feed ${feed}` });
  approvals.forEach(({ by }, i) => {
    const isFirst = approvals.findIndex((other) => isSamePerson(other.by, by)) === i;
    if (!isFirst) problems.push({ path: ['approvals', i, 'by'], message: `${by} has approved it already` });
  });
  const seen = new Set<string>();
  prefixes.forEach((prefix, i) => {
    const message = seen.has(prefix) ? `${prefix} is listed already` : listedPrefixProblem(prefix);
    if (message !== null) problems.push({ path: ['prefixes', i], message });
    seen.add(prefix);
  });
  return problems;
}

/** `Anna` and `anna ` are one person. */
export function isSamePerson(a: string, b: string): boolean {
  const [left, right] = [a, b].map((name) => name.normalize('NFKC').trim().toLowerCase());
  return left === right;
}

function hashOfList(list: PendingList): string {
  const fields = Object.entries(list).filter(([, value]) => value !== undefined);
  return hashOf(JSON.stringify(fields.sort(([a], [b]) => (a < b ? -1 : 1))));
}

export function hashOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
