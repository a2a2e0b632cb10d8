import { createReadStream, type Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { FLOW_FILE_ENDINGS, type FlowFileFormat, flowFileFormatOf } from '../billing/flow-file-format.ts';
import { flowFileError } from './flow-file-error.ts';
import { SourceError } from './source-error.ts';

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
 * name, and its directories' likewise; names that start with a dot are left out. `format` overrules the endings.
 */
export async function listFlowFiles(paths: readonly string[], format?: FlowFileFormat): Promise<FlowFile[]> {
  const files: FlowFile[] = [];
  for (const path of paths) {
    const status = await statusOf(path);
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
  // The pipeline hands an error of either stream to whoever reads the last one.
  const octets = pipeline(stored, createGunzip({ chunkSize: READ_OCTETS }), () => {});
  return { octets, readOctets };
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

async function pathsInDirectory(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch((cause) => {
    throw flowFileError(path, cause);
  });
  const found: string[] = [];
  for (const entry of entries.sort((left, right) => (left.name < right.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue;
    const inside = join(path, entry.name);
    if (entry.isDirectory()) found.push(...(await pathsInDirectory(inside)));
    else if (flowFileFormatOf(entry.name) !== null) found.push(inside);
  }
  return found;
}

async function flowFile(path: string, forced?: FlowFileFormat): Promise<FlowFile> {
  const status = await statusOf(path);
  if (!status.isFile()) {
    const message = `${path}: is no regular file; its records must be readable again from the start, so copy them to one`;
    throw new SourceError('file_unreadable', message, { path });
  }
  const format = forced ?? flowFileFormatOf(path);
  if (format === null) {
    const message = `${path}: the ending says no format; use ${FLOW_FILE_ENDINGS}, or name the format`;
    throw new SourceError('unknown_format', message, { path });
  }
  return { path, format, gzipped: path.endsWith('.gz'), totalOctets: status.size };
}

function statusOf(path: string): Promise<Stats> {
  return stat(path).catch((cause) => {
    throw flowFileError(path, cause);
  });
}
