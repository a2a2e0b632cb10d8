import { execFile } from 'node:child_process';
import { mkdir, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CHUNK = Buffer.alloc(2 ** 20);

/** A separate file system for ClickHouse's data, so that only it can be full. */
export interface SmallDisk {
  /** Directory for the data. */
  path: string;
  /** Null: it can be filled; otherwise the reason why it cannot. */
  unavailableReason: string | null;
  /** Uses up all remaining space. */
  fill(): Promise<void>;
  /** Frees it. */
  clear(): Promise<void>;
  usedOctets(): Promise<number>;
  /** Unmounts the file system with its content. */
  remove(): Promise<void>;
}

/**
 * Mounts a tmpfs of that size where this process may; otherwise creates a plain directory, with the reason why it cannot be
 * filled.
 */
export async function makeSmallDisk(path: string, sizeOctets: number): Promise<SmallDisk> {
  await mkdir(path, { recursive: true });
  const unavailableReason = await mountFault(path, sizeOctets);
  const ballast = join(path, 'ballast');

  return {
    path,
    unavailableReason,
    async fill() {
      if (unavailableReason === null) await fillUp(ballast);
    },
    clear: () => rm(ballast, { force: true }),
    async usedOctets() {
      const { blocks, bfree, bsize } = await statfs(path);
      return (blocks - bfree) * bsize;
    },
    async remove() {
      // Lazily: an ending process may still have files open.
      if (unavailableReason === null) await run('umount', ['-l', path]);
      await rm(path, { recursive: true, force: true });
    },
  };
}

async function mountFault(path: string, sizeOctets: number): Promise<string | null> {
  if (process.getuid?.() !== 0) return 'not possible here: needs root';
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeOctets}`, 'tmpfs', path]);
    return null;
  } catch (error) {
    return `not possible here: ${(error as Error).message.trim().split('\n').at(-1)}`;
  }
}

async function fillUp(ballast: string): Promise<void> {
  const file = await open(ballast, 'a');
  try {
    // Space that the store frees meanwhile is used up, too: a few bytes at the end.
    for (let octets = CHUNK.length; octets >= 1; ) {
      try {
        await file.write(CHUNK, 0, octets);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        octets = Math.floor(octets / 2);
      }
    }
  } finally {
    await file.close();
  }
}
