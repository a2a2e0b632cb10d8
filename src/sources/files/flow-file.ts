import { createReadStream, type Dirent, type Stats } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { createGunzip, type Gunzip } from 'node:zlib';
import { pseudoFileSystemOf } from '../../platform/clickhouse/store-directory.ts';
import {
  FLOW_FILE_ENDINGS,
  type FlowFileFormat,
  flowFileFormatOf,
  isGzipName,
  isOtherwisePacked,
} from '../../rating/record/flow-file-format.ts';
import { SourceError } from '../source-error.ts';
import { flowFileError } from './flow-file-error.ts';

export interface FlowFile {
  path: string;
  format: FlowFileFormat;
  gzipped: boolean;
  /** As stored. */
  totalOctets: number;
}

const READ_OCTETS = 256 << 10;

/**
 * The files that the paths name, in the order of the paths. A directory means its files of the known endings, sorted by
 * name, and its directories' likewise, those that links lead to too; names that start with a dot are left out. `format` overrules
 * the endings.
 */
export async function listFlowFiles(paths: readonly string[], format?: FlowFileFormat): Promise<FlowFile[]> {
  const files: FlowFile[] = [];
  for (const path of paths) {
    const status = await statusOf(path);
    await requireDisk(path);
    if (status.isDirectory()) files.push(...(await filesInDirectory(path, format)));
    else files.push(await flowFile(path, format));
  }
  return files;
}

/** The octets of the file, unpacked, and how many stored octets were read for them. */
export function openOctets(file: FlowFile): { octets: Readable; readOctets: () => number } {
  const stored = createReadStream(file.path, { highWaterMark: READ_OCTETS });
  const readOctets = (): number => stored.bytesRead;
  if (!file.gzipped) return { octets: stored, readOctets };
  const gunzip = createGunzip({ chunkSize: READ_OCTETS });
  // The pipeline hands an error of either stream to the reader of the last one.
  const octets = pipeline(stored, gunzip, () => {});
  return { octets: Readable.from(allUnpacked(file.path, octets, gunzip), { objectMode: false }), readOctets };
}

/**
 * Yields unpacked octets. Rejects with a SourceError where other octets than zeros follow the gzip data: Node's gunzip takes a zero
 * behind a member as the end, and passes over what comes after it.
 */
async function* allUnpacked(path: string, octets: Readable, gunzip: Gunzip): AsyncGenerator<Buffer, void, undefined> {
  yield* octets as AsyncIterable<Buffer>;
  const end = gunzip.bytesWritten;
  let at = end;
  for await (const part of createReadStream(path, { start: end }) as AsyncIterable<Buffer>) {
    const found = part.findIndex((octet) => octet !== 0);
    if (found !== -1) {
      const message =
        `${path}: the gzip data ends at octet ${end}, zeros follow, and other data at octet ${at + found}, which a gunzip passes over; ` +
        'write the file again without the zeros';
      throw new SourceError('file_unreadable', message, { path });
    }
    at += part.length;
  }
}

async function filesInDirectory(path: string, format?: FlowFileFormat): Promise<FlowFile[]> {
  const found = await pathsInDirectory(path);
  if (found.length === 0) {
    throw new SourceError('file_not_found', `${path}: the directory holds no flow file: ${FLOW_FILE_ENDINGS}`, {
      path,
    });
  }
  return Promise.all(found.map((file) => flowFile(file, format)));
}

/** `above`: the true paths of the directories that this one was found in. */
async function pathsInDirectory(path: string, above: readonly string[] = []): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch((cause) => {
    throw flowFileError(path, cause);
  });
  const found: string[] = [];
  const truePath = await realpath(path);
  if (above.includes(truePath)) throw linkedBack(path, truePath);
  for (const entry of entries.sort((left, right) => (left.name < right.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue;
    const inside = join(path, entry.name);
    if (await leadsToDirectory(entry, inside)) found.push(...(await pathsInDirectory(inside, [...above, truePath])));
    else if (flowFileFormatOf(entry.name) !== null || isOtherwisePacked(entry.name)) found.push(inside);
  }
  return found;
}

/** A link that leads nowhere is a file that cannot be read, where its name is a flow file's. */
async function leadsToDirectory(entry: Dirent, path: string): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  return stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );
}

function linkedBack(path: string, truePath: string): SourceError {
  const message = `${path}: is a link back to ${truePath}, which it is in; remove the link, or name other directories`;
  return new SourceError('file_unreadable', message, { path });
}

async function flowFile(path: string, forced?: FlowFileFormat): Promise<FlowFile> {
  const status = await statusOf(path);
  if (!status.isFile()) {
    const message = `${path}: is no regular file but ${kindOf(status)}; its records must be readable again from the start, so copy them to one`;
    throw new SourceError('file_unreadable', message, { path });
  }
  const format = forced ?? flowFileFormatOf(path);
  if (format === null) {
    if (isOtherwisePacked(path)) {
      const message = `${path}: is packed in a way that is not read; unpack it, or pack it with gzip (.gz)`;
      throw new SourceError('unknown_format', message, { path });
    }
    const message = `${path}: the ending says no format; use ${FLOW_FILE_ENDINGS}, or name the format`;
    throw new SourceError('unknown_format', message, { path });
  }
  return { path, format, gzipped: isGzipName(path), totalOctets: status.size };
}

function statusOf(path: string): Promise<Stats> {
  return stat(path).catch((cause) => {
    throw flowFileError(path, cause);
  });
}

async function requireDisk(path: string): Promise<void> {
  const pseudo = await pseudoFileSystemOf(path);
  if (pseudo === null) return;
  const message = `${path}: is on ${pseudo}, where the kernel shows its state, and holds no flow files; name another path`;
  throw new SourceError('file_unreadable', message, { path });
}

function kindOf(status: Stats): string {
  if (status.isFIFO()) return 'a pipe';
  if (status.isSocket()) return 'a socket';
  return status.isDirectory() ? 'a directory' : 'a device';
}
