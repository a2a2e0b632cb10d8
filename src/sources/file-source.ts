import type { FlowFileFormat } from '../billing/flow-file-format.ts';
import type { TopicPartition } from '../billing/topic-partition.ts';
import { LogRecord } from '../platform/log-record.ts';
import { type FlowFile, listFlowFiles } from './flow-file.ts';
import { nameLogs } from './flow-file-topic.ts';
import type { FramedRecord } from './framed-record.ts';
import { type FlowFileOptions, openFlowFile } from './open-flow-file.ts';
import type { Source, SourceListener } from './source.ts';
import { SourceError } from './source-error.ts';

/** How far one file has been read. */
export interface FileProgress {
  path: string;
  /** Of the file as it is stored, packed or not. */
  readOctets: number;
  totalOctets: number;
  /** Read so far, those that had been booked before included. */
  records: number;
}

export interface FileSourceOptions extends FlowFileOptions {
  /** Files and directories; see listFlowFiles. */
  paths: readonly string[];
  /** Overrules what the files' endings say. */
  format?: FlowFileFormat;
  /** How many records are handed over at once. */
  chunkRecords: number;
  onProgress?: (progress: FileProgress) => void;
}

/** All files of a store share counters and one chain of batches. */
export const FILES_LANE = 'files';

/**
 * Reads files, one after the other: NDJSON, CSV with a header line, Avro containers, CDRs, flows of goflow2, each also gzipped. A file is its own
 * log (see flowFileTopic) and a record's index from 0 its offset, so a second run goes on where the first ended. A file must
 * be complete up to its last record: a record that is still being written is booked as it stands.
 */
export function fileSource(options: FileSourceOptions): Source {
  let stopping = false;
  let running: Promise<void> | null = null;
  return {
    run(listener) {
      running = readFiles({ listener, options, stopping: () => stopping });
      return running;
    },
    async stop() {
      stopping = true;
      // Whoever called `run` hears of its failure.
      await running?.catch(() => {});
    },
    // The next call of the listener fails, and that ends the run.
    reassign() {},
    acknowledge() {},
  };
}

interface FileRun {
  listener: SourceListener;
  options: FileSourceOptions;
  stopping: () => boolean;
}

async function readFiles(run: FileRun): Promise<void> {
  const { paths, format } = run.options;
  // All are named before anything is booked, so that a bad file among them costs nothing.
  const logs = await nameLogs(await listFlowFiles(paths, format));
  for (const { file, topic } of logs) {
    if (run.stopping()) return;
    if (topic === null) reportProgress(run, file, file.totalOctets, 0);
    else await readLog(run, file, { topic, partition: 0, lane: FILES_LANE });
  }
}

async function readLog(run: FileRun, file: FlowFile, log: TopicPartition): Promise<void> {
  const { listener } = run;
  const startOffset = await listener.assign(log, async () => null);
  try {
    await deliverRecords(run, file, log, startOffset);
    await listener.flush(log);
  } catch (error) {
    // The first failure is the one to report, whatever giving up brings.
    await listener.revoke(log).catch(() => {});
    throw error;
  }
  await listener.revoke(log);
}

async function deliverRecords(run: FileRun, file: FlowFile, log: TopicPartition, startOffset: number): Promise<void> {
  const { listener, options, stopping } = run;
  const open = await openFlowFile(file, options);
  try {
    let readRecords = 0;
    for await (const chunk of chunksOf(open.batches, startOffset, options.chunkRecords)) {
      if (chunk.records.length > 0) await listener.deliver(log, chunk.records, open.decode);
      readRecords = chunk.readRecords;
      reportProgress(run, file, open.readOctets(), readRecords);
      if (stopping()) return;
    }
    if (readRecords < startOffset) throw shrunk(file.path, readRecords, startOffset);
  } finally {
    open.close();
  }
}

interface Chunk {
  /** None of them while records are passed over that were booked before. */
  records: LogRecord[];
  /** From the start of the file to the end of this chunk. */
  readRecords: number;
}

async function* chunksOf(
  batches: AsyncIterable<readonly FramedRecord[]>,
  startOffset: number,
  chunkRecords: number,
): AsyncGenerator<Chunk, void, undefined> {
  let offset = 0;
  let records: LogRecord[] = [];
  for await (const batch of batches) {
    for (const record of batch) {
      if (offset >= startOffset) records.push(LogRecord.of({ offset, ...record }));
      offset += 1;
      if (records.length < chunkRecords) continue;
      yield { records, readRecords: offset };
      records = [];
    }
    if (offset < startOffset) yield { records: [], readRecords: offset };
  }
  yield { records, readRecords: offset };
}

function shrunk(path: string, records: number, booked: number): SourceError {
  const message =
    `${path}: has ${records} records, but ${booked} of it have been booked: it was cut after that; ` +
    'put the whole file back, or give the new records a file of another name';
  return new SourceError('file_shrunk', message, { path });
}

function reportProgress({ options }: FileRun, file: FlowFile, readOctets: number, records: number): void {
  options.onProgress?.({ path: file.path, readOctets, totalOctets: file.totalOctets, records });
}
