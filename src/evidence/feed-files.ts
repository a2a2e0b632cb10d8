import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { ConfigError } from '../platform/config/config-error.ts';
import { replaceFile, syncDirectory } from '../platform/rewrite-file.ts';
import type { Feed } from './evidence-config-schema.ts';
import { type FeedPart, parsePart, partText } from './part-text.ts';
import {
  approvalsSchema,
  hashOf,
  listFields,
  type PendingList,
  parsePending,
  pendingText,
  sha256Schema,
  timeSchema,
} from './pending-list.ts';

const size = z.strictObject({ prefixes: z.int(), ipv4Addresses: z.string(), ipv6Addresses: z.string() });
/**
 * A change of a part, a line of the log. It was never in force where the next change of the feed does not begin with the part that it
 * made: a crash came between them, and the change was logged again with a later `effectiveFrom`.
 */
const changeSchema = z.strictObject({
  ...listFields,
  effectiveFrom: timeSchema,
  approvals: approvalsSchema,
  added: z.array(z.string()),
  removed: z.array(z.string()),
  before: size,
  after: size,
  /** Of the part before; null: there was none. Absent in lines of earlier versions. */
  partBeforeSha256: sha256Schema.nullable().optional(),
  /** Of the part that the change made. */
  partSha256: sha256Schema,
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

  /**
   * Resolves with the part in force; null where there is none yet. Rejects where it is of another application than the feed: what it
   * had in the past would become the new one's.
   */
  async readPartOf({ id, application }: Pick<Feed, 'id' | 'application'>): Promise<Hashed<FeedPart> | null> {
    const part = await this.readPart(id);
    if (part === null || (part.value.application === application && part.value.feed === id)) return part;
    const { feed, application: of } = part.value;
    throw new ConfigError(
      `${this.partPath(id)}: is of feed ${feed} and application ${of}, and the configuration has feed ${id} of application ${application}: ` +
        'a part keeps its past, so set the application back, or give the new one a feed with another id and end the prefixes of this part',
    );
  }

  /** Resolves with the part of any feed; null where there is none. */
  async readPart(feed: string): Promise<Hashed<FeedPart> | null> {
    const path = this.partPath(feed);
    const text = await readText(path);
    return text === null ? null : { value: parsePart(text, path), sha256: hashOf(text) };
  }

  writePart(feed: string, part: FeedPart): Promise<void> {
    return replaceFile(this.partPath(feed), partText(part));
  }

  /** Resolves with the list that waits; null where none does. */
  async readPending(feed: string): Promise<PendingList | null> {
    const path = this.pendingPath(feed);
    const text = await readText(path);
    return text === null ? null : parsePending(text, path, feed);
  }

  writePending(pending: PendingList): Promise<void> {
    return replaceFile(this.pendingPath(pending.feed), pendingText(pending));
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
