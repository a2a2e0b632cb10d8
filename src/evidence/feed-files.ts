import { createHash } from 'node:crypto';
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { formatFault } from '../formats/document-fault.ts';
import { readYamlDocument } from '../formats/read-yaml-document.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import { replaceFile, syncDirectory } from '../platform/rewrite-file.ts';
import { type FeedPart, parsePart, partText, yamlText } from './part-text.ts';

const sha256 = z.string().regex(/^[\da-f]{64}$/);
const time = z.iso.datetime();
const list = {
  feed: z.string(),
  application: z.string(),
  source: z.string(),
  sourceSha256: sha256,
  fetchedAt: time,
  fetchedBy: z.string().optional(),
  /** When the list was made, as it says itself. */
  createdAt: time.optional(),
};
const approvals = z.array(z.strictObject({ by: z.string(), at: time, from: time.optional() }));

/** A list that waits for approval. */
const pendingSchema = z.strictObject({
  ...list,
  /** The part that it was compared with; null: none was in force. */
  partSha256: sha256.nullable(),
  notes: z.array(z.string()),
  approvals,
  /** Present once the approvals are complete: from when on the list is in force. */
  effectiveFrom: time.optional(),
  prefixes: z.array(z.string()),
});
export type PendingList = z.output<typeof pendingSchema>;

const size = z.strictObject({ prefixes: z.int(), ipv4Addresses: z.string(), ipv6Addresses: z.string() });
/** A change that is in force, a line of the log. */
const changeSchema = z.strictObject({
  ...list,
  effectiveFrom: time,
  approvals,
  added: z.array(z.string()),
  removed: z.array(z.string()),
  before: size,
  after: size,
  /** Of the part that the change made. */
  partSha256: sha256,
});
export type LoggedChange = z.output<typeof changeSchema>;

/** A file's value, and the SHA-256 of its text. */
export interface Hashed<T> {
  value: T;
  sha256: string;
}

/**
 * The files of the feeds: for each feed its part of the catalogue and its pending list, and the log of all changes. Every method rejects
 * with a ConfigError where a file cannot be read or is damaged. Writers must hold the directory's lock.
 */
export class FeedFiles {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  partPath(feed: string): string {
    return join(this.directory, `${feed}.yaml`);
  }

  pendingPath(feed: string): string {
    return join(this.directory, `${feed}.pending.yaml`);
  }

  get logPath(): string {
    return join(this.directory, 'evidence-log.ndjson');
  }

  /** Resolves with the part in force; null where there is none yet. */
  async readPart(feed: string): Promise<Hashed<FeedPart> | null> {
    const path = this.partPath(feed);
    const text = await readText(path);
    return text === null ? null : { value: parsePart(text, path), sha256: hashOf(text) };
  }

  writePart(feed: string, part: FeedPart): Promise<void> {
    return replaceFile(this.partPath(feed), partText(part));
  }

  async readPending(feed: string): Promise<PendingList | null> {
    const path = this.pendingPath(feed);
    const text = await readText(path);
    if (text === null) return null;
    const read = readYamlDocument(text, path, pendingSchema);
    if (read.faults === undefined) return read.value;
    const remedy = `${path}: is no pending list; remove it, and fetch the list again`;
    throw new ConfigError([...read.faults.map(formatFault), remedy]);
  }

  writePending({ prefixes, ...rest }: PendingList): Promise<void> {
    const comment =
      'Waits for approval, and is not in force: see `zerorate evidence show` and `zerorate evidence approve`.';
    const lines = prefixes.map((prefix) => JSON.stringify(prefix));
    return replaceFile(this.pendingPath(rest.feed), yamlText(comment, rest, lines));
  }

  async removePending(feed: string): Promise<void> {
    await rm(this.pendingPath(feed), { force: true });
    await syncDirectory(this.directory);
  }

  /** Resolves with the log's changes, the oldest first. A last line without an end is of a write that was interrupted. */
  async readLog(): Promise<LoggedChange[]> {
    const text = (await readText(this.logPath)) ?? '';
    return wholeLines(text).map((line, i) => {
      const { data, error } = changeSchema.safeParse(jsonOf(line));
      if (data !== undefined) return data;
      const what = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
      throw new ConfigError(
        `${this.logPath}:${i + 1}: is no change of a feed (${what}); restore the log from a backup`,
      );
    });
  }

  /** Appends a change to the log, on disk when this resolves. */
  async appendLog(change: LoggedChange): Promise<void> {
    const text = (await readText(this.logPath)) ?? '';
    const file = await open(this.logPath, 'a');
    try {
      await file.truncate(Buffer.byteLength(text.slice(0, text.lastIndexOf('\n') + 1)));
      await file.writeFile(`${JSON.stringify(change)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await syncDirectory(this.directory);
  }
}

export function hashOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function wholeLines(text: string): string[] {
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(0, -1);
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Null where there is no such file. */
async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new ConfigError(`${path}: cannot be read: ${(error as Error).message}`);
  }
}
