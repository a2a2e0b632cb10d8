import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import { ConfigError } from '../../platform/config/config-error.ts';
import { SESSION_CONTENT_TYPES } from '../protocol/content-octets.ts';
import type { StatisticsRow } from './usage-statistics.ts';

const octets = z.int().min(0);
const fileSchema = z.strictObject({
  version: z.literal(1),
  rows: z.array(
    z.strictObject({
      periodStartMs: z.int(),
      periodEndMs: z.int(),
      applicationId: z.string(),
      contentType: z.enum([...SESSION_CONTENT_TYPES, 'control']),
      sponsoredOctets: octets,
      subscriberOctets: octets,
    }),
  ),
});

/** The statistics of earlier runs; none where there is no file. Rejects with a ConfigError when the file holds something else. */
export async function readStatistics(path: string): Promise<StatisticsRow[]> {
  try {
    return fileSchema.parse(JSON.parse(await readFile(path, 'utf8'))).rows;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new ConfigError(
      `${path}: is no file of a terminal's statistics; name another one: ${(error as Error).message}`,
    );
  }
}

/** Replaces the file whole, for its owner's eyes only (0600). */
export async function writeStatistics(path: string, rows: readonly StatisticsRow[]): Promise<void> {
  const unfinished = `${path}.${process.pid}.unfinished`;
  try {
    await writeFile(unfinished, `${JSON.stringify({ version: 1, rows })}\n`, { mode: 0o600 });
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}
