import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { openAvroContainer } from './avro-container.ts';
import { holdsCdrs, openCdrFile } from './cdr-file.ts';
import { NO_CDR_MAPPING } from './cdr-mapping.ts';
import { type FlowFile, openOctets } from './flow-file.ts';
import { flowFileError } from './flow-file-error.ts';
import { readLines } from './line-reader.ts';
import { SourceError } from './source-error.ts';

/** Fixed, and not the limit for a record: the name of a log must not change with a setting. */
const FIRST_RECORD_OCTETS = 64 << 10;

/** A file and the name of its log; null for a file without a record, which has nothing to book. */
export interface FlowLog {
  file: FlowFile;
  topic: string | null;
}

/** Names the log of each file. Throws if two of them are the same log: each would book the other's records as its own. */
export async function nameLogs(files: readonly FlowFile[]): Promise<FlowLog[]> {
  const paths = new Map<string, string>();
  const logs: FlowLog[] = [];
  for (const file of files) {
    const topic = await flowFileTopic(file);
    logs.push({ file, topic });
    if (topic === null) continue;
    const first = paths.get(topic);
    if (first !== undefined) {
      const message = `${file.path}: is the same log as ${first} (same name, same first record); give one of them only`;
      throw new SourceError('same_file_twice', message, { path: file.path });
    }
    paths.set(topic, file.path);
  }
  return logs;
}

/**
 * The topic of a file: its name without `.gz`, `~` and 8 hex digits of the SHA-256 over what it begins with: the first line
 * of NDJSON and goflow2, header and first line of CSV (lines cut at 64 KiB, joined by `\n`), the sync marker of Avro, what a CDR file's
 * header says of where and when it was opened. So a file that was moved, packed or has grown stays the same log, and another
 * file of its name is another one. Null without a record.
 */
export async function flowFileTopic(file: FlowFile): Promise<string | null> {
  const { octets } = openOctets(file);
  try {
    const beginning = await BEGINNINGS[file.format](octets);
    if (beginning === null) return null;
    const digest = createHash('sha256').update(beginning).digest('hex').slice(0, 8);
    return `${basename(file.path).replace(/\.gz$/, '')}~${digest}`;
  } catch (cause) {
    throw flowFileError(file.path, cause);
  } finally {
    octets.destroy();
  }
}

const BEGINNINGS: Readonly<Record<FlowFile['format'], (octets: Readable) => Promise<Buffer | null>>> = {
  ndjson: (octets) => firstLines(octets, 1),
  csv: (octets) => firstLines(octets, 2),
  avro: syncMarker,
  cdr: openingOfCdrFile,
  goflow2: (octets) => firstLines(octets, 1),
};

async function openingOfCdrFile(octets: Readable): Promise<Buffer | null> {
  const file = await openCdrFile(octets, FIRST_RECORD_OCTETS, NO_CDR_MAPPING);
  return (await holdsCdrs(file)) ? file.header.identity : null;
}

async function syncMarker(octets: Readable): Promise<Buffer> {
  return (await openAvroContainer(octets, FIRST_RECORD_OCTETS)).syncMarker;
}

async function firstLines(octets: Readable, count: number): Promise<Buffer | null> {
  const lines: Buffer[] = [];
  for await (const batch of readLines(octets, FIRST_RECORD_OCTETS)) {
    for (const { value } of batch) {
      lines.push(value);
      if (lines.length === count)
        return Buffer.from(Buffer.concat(lines.flatMap((line) => [line, LINE_FEED])).subarray(0, -1));
    }
  }
  return null;
}

const LINE_FEED = Buffer.from('\n');
