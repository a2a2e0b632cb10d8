import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { QuotaUpdate, QuotaUpdates } from '../rating/quota-updates.ts';
import { type QuotaPublisher, QuotaPublisherError } from './journal.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Appends quota updates to a file, one JSON object a line, its fields those of QuotaUpdate, `periodStart` as YYYY-MM-DD.
 * A line that a crash left torn is cut off at the start; its update is derived from the journal again.
 */
export function fileQuotaPublisher({ path }: { path: string }): QuotaPublisher {
  let file: { handle: FileHandle; octets: number } | null = null;
  let turn: Promise<void> = Promise.resolve();

  async function append(updates: QuotaUpdates): Promise<void> {
    if (file === null) throw new Error('publish was called before start');
    const lines = Buffer.from([...updates].map(quotaUpdateLine).join(''));
    try {
      // At a position of our own: what a failed write left behind is written over.
      await writeAll(file.handle, lines, file.octets);
      await file.handle.sync();
    } catch (error) {
      await file.handle.truncate(file.octets).catch(() => {});
      throw unwritable(path, error);
    }
    file.octets += lines.length;
  }

  return {
    async start() {
      try {
        await mkdir(dirname(path), { recursive: true });
        const handle = await open(path, constants.O_RDWR | constants.O_CREAT);
        file = { handle, octets: await truncatePartialLastLine(handle) };
        await syncDirectory(dirname(path));
      } catch (error) {
        throw unwritable(path, error);
      }
    },
    // A file has one writer: the lock of the store sees to it.
    async claim() {},
    publish(_lane, updates) {
      if (updates.length === 0) return turn;
      const published = turn.then(() => append(updates));
      turn = published.catch(() => {});
      return published;
    },
    async stop() {
      await turn;
      await file?.handle.close();
      file = null;
    },
  };
}

/** One line of the file, with its end. */
export function quotaUpdateLine(update: QuotaUpdate): string {
  const periodStart = new Date(update.periodStart * DAY_MS).toISOString().slice(0, 10);
  return `${JSON.stringify({ ...update, periodStart })}\n`;
}

/** What `quotaUpdateLine` has written. */
export function quotaUpdateOfLine(line: string): QuotaUpdate {
  const update = JSON.parse(line) as Omit<QuotaUpdate, 'periodStart'> & { periodStart: string };
  return { ...update, periodStart: Date.parse(update.periodStart) / DAY_MS };
}

async function writeAll(handle: FileHandle, octets: Buffer, position: number): Promise<void> {
  for (let written = 0; written < octets.length; ) {
    const { bytesWritten } = await handle.write(octets, written, octets.length - written, position + written);
    written += bytesWritten;
  }
}

/** A new file outlives a power cut only once its directory is on the disk too. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function unwritable(path: string, cause: unknown): QuotaPublisherError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const message = `${path}: quota updates cannot be written (${why}); make room or give the right to write, then run again`;
  return new QuotaPublisherError('file_unwritable', message, { cause });
}

const STEP_OCTETS = 64 * 1024;
const NEWLINE = 10;

/** Cuts a last line that has no end, as a crash leaves it. Resolves with the length of what is left, in octets. */
async function truncatePartialLastLine(handle: FileHandle): Promise<number> {
  const { size } = await handle.stat();
  const length = await endOfLastLine(handle, size);
  if (length < size) {
    await handle.truncate(length);
    await handle.sync();
  }
  return length;
}

async function endOfLastLine(handle: FileHandle, size: number): Promise<number> {
  for (let end = size; end > 0; end -= STEP_OCTETS) {
    const start = Math.max(0, end - STEP_OCTETS);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(end - start), 0, end - start, start);
    const newline = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE);
    if (newline !== -1) return start + newline + 1;
  }
  return 0;
}
