import { createHash } from 'node:crypto';
import { NO_PROOF, type SourceProof, sourceProof } from '../../platform/kafka/log-record.ts';
import { SourceError } from '../source-error.ts';
import { type FlowFile, openOctets } from './flow-file.ts';
import { flowFileError } from './flow-file-error.ts';
import { type FlowFileName, flowFileName } from './flow-file-topic.ts';

/** How far a log of files is booked, or was at the end of one of its batches. */
export interface BookedLog {
  topic: string;
  lastOffset: number;
  /** Of its content up to there; empty in what an earlier version booked. */
  proof: SourceProof;
}

/** What the journal knows of files. */
export interface BookedLogs {
  /** Every log, as far as it is booked. */
  all(): Promise<readonly BookedLog[]>;
  /** One of them at the end of each of its batches, in their order. */
  batchesOf(topic: string): Promise<readonly BookedLog[]>;
}

export const NO_BOOKED_LOGS: BookedLogs = { all: async () => [], batchesOf: async () => [] };

/** A file, and the log that its records are booked under; null for one without a whole record. */
export interface IdentifiedFile {
  file: FlowFile;
  log: FileLog | null;
}

interface FileLog {
  topic: string;
  contentBegin: number;
  booked: BookedLog | null;
  /** Of a new log: the last one that is booked of a file of the same name, which begins otherwise. */
  namesake: string | null;
}

export interface IdentifyOptions {
  booked: BookedLogs;
  /** A file whose booked part is not the same any more is read as the next generation of the logs of its name. */
  isRewritten: boolean;
  isFinal: boolean;
}

/**
 * Finds the log of a file by its content, whatever the file's name: the one of which all that is booked is what the file begins
 * with. Rejects with `source_changed` where the log of its name and first record is booked, but the file does not begin with that. A
 * log without a proof is known by name and first record alone.
 */
export async function identifyFile(file: FlowFile, options: IdentifyOptions): Promise<IdentifiedFile> {
  const name = await flowFileName(file, options.isFinal);
  if (name === null) return { file, log: null };
  const { contentBegin } = name;
  // What has the same content begins the same way.
  const all = await options.booked.all();
  const candidates = all.filter(({ topic }) => beginningOf(topic) === beginningOf(name.topic));
  const proofs = await contentProofs(file, contentBegin, candidates.map(octetsOf));
  const same = candidates
    .filter(({ proof }) => proof !== NO_PROOF && proofs.has(proof))
    .sort((a, b) => octetsOf(b) - octetsOf(a) || Number(isOf(b, name)) - Number(isOf(a, name)));
  const own = candidates.filter((log) => isOf(log, name)).sort((a, b) => generationOf(b) - generationOf(a));
  const [newest] = own;
  const isChanged = newest !== undefined && newest.proof !== NO_PROOF && !same.some((log) => isOf(log, name));
  if (isChanged && !options.isRewritten) throw await changed(file, newest, contentBegin, options.booked);
  const booked = isChanged ? null : (same[0] ?? newest ?? null);
  if (booked !== null) return { file, log: { topic: booked.topic, contentBegin, booked, namesake: null } };
  const namesakes = all.filter((log) => baseOf(log.topic) === baseOf(name.topic));
  if (!options.isRewritten || namesakes.length === 0) {
    return { file, log: { topic: name.topic, contentBegin, booked, namesake: namesakes.at(-1)?.topic ?? null } };
  }
  // Of all that have the name: a rewritten file may begin otherwise, or have another sync marker.
  const generation = Math.max(...namesakes.map(generationOf)) + 1;
  return { file, log: { topic: `${name.topic}~${generation}`, contentBegin, booked, namesake: null } };
}

/** `name~hash`, and `~2` and so on for the generations of a file that is rewritten. */
const TOPIC = /^(.*~([0-9a-f]{8}))(?:~(\d+))?$/;

/** What a topic says of the beginning of its file: files that begin otherwise have another content. */
export function beginningOf(topic: string): string | undefined {
  return TOPIC.exec(topic)?.[2];
}

function generationOf({ topic }: BookedLog): number {
  return Number(TOPIC.exec(topic)?.[3] ?? 1);
}

function baseOf(topic: string): string {
  const log = TOPIC.exec(topic)?.[1] ?? topic;
  return log.slice(0, log.lastIndexOf('~'));
}

function isOf({ topic }: BookedLog, name: FlowFileName): boolean {
  return TOPIC.exec(topic)?.[1] === name.topic;
}

/** How much of the content is booked. */
export function octetsOf({ proof }: BookedLog): number {
  return proof === NO_PROOF ? 0 : Number.parseInt(proof, 10);
}

/** The proofs of a file's content up to each of these lengths, as far as it has them. */
async function contentProofs(
  file: FlowFile,
  contentBegin: number,
  lengths: readonly number[],
): Promise<ReadonlySet<SourceProof>> {
  const ends = [...new Set(lengths)].filter((length) => length > 0).sort((a, b) => a - b);
  const proofs = new Set<SourceProof>();
  if (ends.length === 0) return proofs;
  const hash = createHash('sha256');
  const { octets } = openOctets(file);
  let at = -contentBegin;
  let next = 0;
  try {
    for await (const part of octets as AsyncIterable<Buffer>) {
      let from = Math.min(part.length, Math.max(0, -at));
      for (; next < ends.length && ends[next] <= at + part.length; next++) {
        const to = ends[next] - at;
        hash.update(part.subarray(from, to));
        from = to;
        proofs.add(sourceProof(ends[next], hash.copy().digest('hex')));
      }
      if (next === ends.length) break;
      hash.update(part.subarray(from));
      at += part.length;
    }
  } catch (cause) {
    // Packed data that is cut has what it has; reading says so.
    if ((cause as { code?: unknown }).code !== 'Z_BUF_ERROR') throw flowFileError(file.path, cause);
  } finally {
    octets.destroy();
  }
  return proofs;
}

async function changed(file: FlowFile, log: BookedLog, contentBegin: number, booked: BookedLogs): Promise<SourceError> {
  const batches = await booked.batchesOf(log.topic);
  const proofs = await contentProofs(file, contentBegin, batches.map(octetsOf));
  const first = batches.findIndex(({ proof }) => proof !== NO_PROOF && !proofs.has(proof));
  const from = first > 0 ? batches[first - 1].lastOffset + 1 : 0;
  const to = first === -1 ? log.lastOffset : batches[first].lastOffset;
  return sourceChanged(
    file.path,
    log.topic,
    `its records ${from} to ${to} are booked, and the file has other content there, or ends before`,
  );
}

/** What a run is refused with when what is booked of a file is not in it any more. */
export function sourceChanged(path: string, topic: string, what: string): SourceError {
  const message =
    `${path}: is not as it was booked (${topic}): ${what}. Nothing of it was read. Put the booked file back and give other records ` +
    'a file of another name; where its writer rewrites the file with all of its records each time, run with --rewritten';
  return new SourceError('source_changed', message, { path });
}
