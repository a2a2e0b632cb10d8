import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { holdsCdrs, openCdrFile } from '../cdr/cdr-file.ts';
import { NO_CDR_MAPPING } from '../cdr/cdr-mapping.ts';
import { openAvroContainer } from './avro-container.ts';
import { FileEnding } from './file-ending.ts';
import { type FlowFile, openOctets } from './flow-file.ts';
import { flowFileError } from './flow-file-error.ts';
import { readLines } from './line-reader.ts';

/** Fixed, and not the limit for a record: the name of a log must not change with a setting. */
const FIRST_RECORD_OCTETS = 64 << 10;

/** What a file's log is named by. */
export interface FlowFileName {
  /**
   * The topic that a log of this file gets: the file's name without `.gz`, `~` and 8 hex digits of the SHA-256 over what it begins
   * with: the first line of NDJSON and goflow2, header and first line of CSV (lines cut at 64 KiB, joined by `\n`), the sync marker
   * of Avro, what a CDR file's header says of where and when it was opened.
   */
  topic: string;
  /** Where the content begins that is the same for as long as the file is written: behind a CDR file's header. */
  contentBegin: number;
}

/** Null for a file without a record, which has nothing to book. */
export async function flowFileName(file: FlowFile, isFinal: boolean): Promise<FlowFileName | null> {
  const { octets } = openOctets(file);
  try {
    const beginning = await BEGINNINGS[file.format](octets as AsyncIterable<Buffer>, isFinal);
    if (beginning === null) return null;
    const digest = createHash('sha256').update(beginning.octets).digest('hex').slice(0, 8);
    return { topic: `${basename(file.path).replace(/\.gz$/, '')}~${digest}`, contentBegin: beginning.contentBegin };
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'Z_BUF_ERROR' && !isFinal) return null;
    throw flowFileError(file.path, cause);
  } finally {
    octets.destroy();
  }
}

interface Beginning {
  octets: Buffer;
  contentBegin: number;
}

type ReadBeginning = (octets: AsyncIterable<Buffer>, isFinal: boolean) => Promise<Beginning | null>;

const BEGINNINGS: Readonly<Record<FlowFile['format'], ReadBeginning>> = {
  ndjson: (octets, isFinal) => firstLines(octets, isFinal, 1),
  csv: (octets, isFinal) => firstLines(octets, isFinal, 2),
  avro: syncMarker,
  cdr: openingOfCdrFile,
  goflow2: (octets, isFinal) => firstLines(octets, isFinal, 1),
};

async function openingOfCdrFile(octets: AsyncIterable<Buffer>, isFinal: boolean): Promise<Beginning | null> {
  const file = await openCdrFile(octets, FIRST_RECORD_OCTETS, NO_CDR_MAPPING, new FileEnding(isFinal));
  if (file === null || !(await holdsCdrs(file))) return null;
  return { octets: file.header.identity, contentBegin: file.contentBegin };
}

async function syncMarker(octets: AsyncIterable<Buffer>, isFinal: boolean): Promise<Beginning | null> {
  const container = await openAvroContainer(octets, FIRST_RECORD_OCTETS, new FileEnding(isFinal));
  return container && { octets: container.syncMarker, contentBegin: 0 };
}

async function firstLines(octets: AsyncIterable<Buffer>, isFinal: boolean, count: number): Promise<Beginning | null> {
  const lines: Buffer[] = [];
  for await (const batch of readLines(octets, FIRST_RECORD_OCTETS, new FileEnding(isFinal))) {
    for (const { value } of batch) {
      lines.push(value);
      if (lines.length < count) continue;
      const joined = Buffer.concat(lines.flatMap((line) => [line, LINE_FEED])).subarray(0, -1);
      return { octets: Buffer.from(joined), contentBegin: 0 };
    }
  }
  return null;
}

const LINE_FEED = Buffer.from('\n');
