import { LogRecord, NO_PROOF } from '../../platform/kafka/log-record.ts';
import type { TopicPartition } from '../../rating/lane.ts';
import type { FlowFileFormat } from '../../rating/record/flow-file-format.ts';
import type { Source, SourceListener } from '../source.ts';
import { SourceError } from '../source-error.ts';
import type { ContentTrail } from './content-trail.ts';
import type { HeldBack } from './file-ending.ts';
import { type FlowFile, listFlowFiles } from './flow-file.ts';
import { flowFileName } from './flow-file-topic.ts';
import type { FramedRecord } from './framed-record.ts';
import {
  type BookedLog,
  type BookedLogs,
  beginningOf,
  type IdentifiedFile,
  identifyFile,
  NO_BOOKED_LOGS,
  octetsOf,
  sourceChanged,
} from './identify-files.ts';
import { type FlowFileOptions, type OpenFlowFile, openFlowFile } from './open-flow-file.ts';

/** How far one file has been read. */
export interface FileProgress {
  path: string;
  /** Of the file as it is stored, packed or not. */
  readOctets: number;
  totalOctets: number;
  /** Read so far, those that had been booked before included. */
  records: number;
}

/** What an operator should know of a file that was read without an error. */
export type FileNotice =
  | { kind: 'booked_under_another_name'; path: string; topic: string }
  | { kind: 'unproven'; path: string; topic: string }
  | { kind: 'namesake'; path: string; topic: string; namesake: string }
  | ({ kind: 'held_back'; path: string } & HeldBack);

export interface FileSourceOptions extends FlowFileOptions {
  /** Files and directories; see listFlowFiles. */
  paths: readonly string[];
  /** Overrules what the files' endings say. */
  format?: FlowFileFormat;
  /** How many records are handed over at once. */
  chunkRecords: number;
  /** What the journal knows of files; absent: nothing. */
  booked?: BookedLogs;
  /** Files are rewritten with all of their records: one that is not as it was booked is read as its log's next generation. */
  isRewritten?: boolean;
  onProgress?: (progress: FileProgress) => void;
  onNotice?: (notice: FileNotice) => void;
}

/** All files of a store share counters and one chain of batches. */
export const FILES_LANE = 'files';

/**
 * Reads files, one after the other: NDJSON, CSV with a header line, Avro containers, CDRs, flows of goflow2, each also gzipped. A file is its own
 * log, known by its content (see identifyFile), and a record's index from 0 its offset, so a second run resumes where the first
 * ended. What ends a file and is no whole record is held back, unless it is final.
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
      // The caller of `run` has its failure.
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
  const { paths, format, isFinal = true, isRewritten = false, booked = NO_BOOKED_LOGS } = run.options;
  const files = await listFlowFiles(paths, format);
  await refuseTwins(files, isFinal);
  const identify = (file: FlowFile) => identifyFile(file, { booked, isFinal, isRewritten });
  // All are looked at before anything is booked, so that a bad file among them costs nothing.
  const identified: IdentifiedFile[] = [];
  const all = await booked.all();
  const bookedBefore = { ...booked, all: async () => all };
  for (const file of files) identified.push(await identifyFile(file, { booked: bookedBefore, isFinal, isRewritten }));
  const beginnings = new Set<string | undefined>();
  for (const found of identified) {
    if (run.stopping()) return;
    // What was booked since may be what this file begins with.
    const { file, log } = beginnings.has(beginningOf(found.log?.topic ?? '')) ? await identify(found.file) : found;
    if (log === null) await passOver(run, file);
    else await readLog(run, file, log);
    beginnings.add(beginningOf(log?.topic ?? ''));
  }
}

/** Two files of one name and one first record are one log by their names: each would be refused as changed for the other's sake. */
async function refuseTwins(files: readonly FlowFile[], isFinal: boolean): Promise<void> {
  const paths = new Map<string, string>();
  for (const file of files) {
    const name = await flowFileName(file, isFinal);
    if (name === null) continue;
    const first = paths.get(name.topic);
    if (first !== undefined) {
      const message = `${file.path}: is the same log as ${first} (same name, same first record); give one of them only`;
      throw new SourceError('same_file_twice', message, { path: file.path });
    }
    paths.set(name.topic, file.path);
  }
}

/** A file without a whole record. */
async function passOver(run: FileRun, file: FlowFile): Promise<void> {
  const open = await openFlowFile(file, run.options);
  try {
    for await (const batch of open.batches) if (batch.length > 0) break;
    noticeHeldBack(run, file, open);
    reportProgress(run, file, file.totalOctets, 0);
  } finally {
    open.close();
  }
}

async function readLog(run: FileRun, file: FlowFile, identified: NonNullable<IdentifiedFile['log']>): Promise<void> {
  const { listener, options } = run;
  const { topic, booked, namesake } = identified;
  const log = { topic, partition: 0, lane: FILES_LANE };
  if (booked?.proof === NO_PROOF) options.onNotice?.({ kind: 'unproven', path: file.path, topic });
  if (namesake !== null) options.onNotice?.({ kind: 'namesake', path: file.path, topic, namesake });
  if (booked !== null && !topic.startsWith((await flowFileName(file, options.isFinal ?? true))?.topic ?? ''))
    options.onNotice?.({ kind: 'booked_under_another_name', path: file.path, topic });
  const startOffset = await listener.assign(log, async () => null);
  try {
    await deliverRecords(run, file, log, { ...identified, startOffset });
    await listener.flush(log);
  } catch (error) {
    // The first failure is the one to report, whatever giving up brings.
    await listener.revoke(log).catch(() => {});
    throw error;
  }
  await listener.revoke(log);
}

interface Resume {
  contentBegin: number;
  booked: BookedLog | null;
  startOffset: number;
}

async function deliverRecords(run: FileRun, file: FlowFile, log: TopicPartition, resume: Resume): Promise<void> {
  const { listener, options, stopping } = run;
  const { contentBegin, startOffset } = resume;
  const open = await openFlowFile(file, { ...options, isProven: true });
  const { trail } = open;
  trail.beginAt(contentBegin);
  try {
    let readRecords = 0;
    for await (const chunk of chunksOf(open, resume, file, options.chunkRecords)) {
      const last = chunk.records.at(-1);
      if (last !== undefined) {
        await listener.deliver(log, chunk.records, open.decode, ({ contentEnd }) => trail.proofAt(contentEnd));
        trail.advanceTo(last.contentEnd);
      }
      readRecords = chunk.readRecords;
      reportProgress(run, file, open.readOctets(), readRecords);
      if (stopping()) return;
    }
    if (readRecords < startOffset)
      throw sourceChanged(file.path, log.topic, `it has ${readRecords} records, and ${startOffset} are booked`);
    noticeHeldBack(run, file, open);
  } finally {
    open.close();
  }
}

function noticeHeldBack({ options }: FileRun, { path }: FlowFile, open: OpenFlowFile): void {
  const heldBack = open.heldBack();
  if (heldBack !== null) options.onNotice?.({ kind: 'held_back', path, ...heldBack });
}

interface Chunk {
  /** None of them while records are passed over that were booked before. */
  records: LogRecord[];
  /** From the start of the file to the end of this chunk. */
  readRecords: number;
}

async function* chunksOf(
  { batches, trail }: OpenFlowFile,
  { startOffset, booked, contentBegin }: Resume,
  file: FlowFile,
  chunkRecords: number,
): AsyncGenerator<Chunk, void, undefined> {
  let offset = 0;
  let records: LogRecord[] = [];
  trail.pendingEnds = () => records.map(({ contentEnd }) => contentEnd);
  for await (const batch of batches) {
    for (const record of batch) {
      if (offset === startOffset - 1) refuseChanged(file, record, contentBegin, booked, offset, trail);
      if (offset >= startOffset) records.push(LogRecord.ofFrame(offset, record));
      offset += 1;
      if (records.length < chunkRecords) continue;
      yield { records, readRecords: offset };
      records = [];
    }
    if (offset >= startOffset) continue;
    // Booked records are proven already: what was read of them need not be kept.
    trail.advanceTo(batch.at(-1)?.contentEnd ?? 0);
    yield { records: [], readRecords: offset };
  }
  yield { records, readRecords: offset };
}

/**
 * The file may have changed since it was identified; or a record that was booked before it was complete is longer now, so that what is
 * booked of it is not what it is.
 */
function refuseChanged(
  { path }: FlowFile,
  { contentEnd }: FramedRecord,
  contentBegin: number,
  booked: BookedLog | null,
  offset: number,
  trail: ContentTrail,
): void {
  if (booked === null || booked.proof === NO_PROOF || booked.lastOffset !== offset) return;
  if (contentEnd - contentBegin !== octetsOf(booked)) {
    throw sourceChanged(path, booked.topic, `record ${offset} is booked, and has grown since`);
  }
  if (trail.proofAt(contentEnd) === booked.proof) return;
  throw sourceChanged(path, booked.topic, 'it was written to while it was read');
}

function reportProgress({ options }: FileRun, file: FlowFile, readOctets: number, records: number): void {
  options.onProgress?.({ path: file.path, readOctets, totalOctets: file.totalOctets, records });
}
