import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import avro from 'avsc';
import { varintEnd, varintValue } from '../../formats/varint.ts';
import { type DatumEnd, datumEnd } from '../../rating/decode/avro-datum.ts';
import { parseAvroSchema } from '../../rating/decode/avro-schema.ts';
import type { AvroSchema } from '../../rating/decode-avro.ts';
import { type FileEnding, finalEnding } from './file-ending.ts';
import { FramedRecord, framedRecord } from './framed-record.ts';
import { OctetWindow } from './octet-window.ts';

const SYNC_OCTETS = 16;
const MAGIC = Buffer.from('Obj\x01', 'latin1');
/** A count and a size, each a varint of at most 10 octets. */
const MAX_BLOCK_HEADER_OCTETS = 20;
const MAX_HEADER_OCTETS = 4 << 20;
/** Above what any writer makes (16 KiB to a few MiB), so a damaged size is recognised; as stored and as inflated. */
const MAX_BLOCK_OCTETS = 64 << 20;

const UNMARKED = 'no sync marker after the block';

const HEADER_SCHEMA = {
  type: 'record',
  name: 'Header',
  fields: [
    { name: 'magic', type: { type: 'fixed', name: 'Magic', size: 4 } },
    { name: 'meta', type: { type: 'map', values: 'bytes' } },
    { name: 'sync', type: { type: 'fixed', name: 'Sync', size: SYNC_OCTETS } },
  ],
} as const satisfies avro.Schema;
const HEADER_TYPE = avro.Type.forSchema(HEADER_SCHEMA);
const headerEnd = datumEnd(parseAvroSchema(HEADER_SCHEMA));
const inflate = promisify<Buffer, { maxOutputLength: number }, Buffer>(inflateRaw);

export type AvroContainerErrorCode = 'not_a_container' | 'header_damaged' | 'schema_unreadable' | 'codec_unknown';

/** The header of the container file cannot be read, so nothing of the file can. */
export class AvroContainerError extends Error {
  override readonly name = 'AvroContainerError';
  readonly canRetry = false;
  readonly code: AvroContainerErrorCode;

  constructor(code: AvroContainerErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** One datum; or, where a block is damaged, the block's own octets and what is wrong with it. */
export interface ContainerRecord extends FramedRecord {
  damage?: string;
}

export interface AvroContainer {
  writerSchema: AvroSchema;
  /** 16 random octets that the writer chose for this file. */
  syncMarker: Buffer;
  /** The records of one block at a time. */
  blocks: AsyncGenerator<ContainerRecord[], void, undefined>;
}

/**
 * Opens an Avro object container file (Avro 1.11, "Object Container Files"; codecs null and deflate) and cuts its blocks
 * into datums. A damaged block gives one record, and reading continues after the next sync marker: the indexes of the
 * records are the same each time. Memory is bounded by the size of a block. Null for a file that may still grow and ends inside of its
 * header: all of it is held back.
 */
export async function openAvroContainer(
  input: AsyncIterable<Buffer>,
  limitOctets: number,
  ending: FileEnding = finalEnding(),
): Promise<AvroContainer | null> {
  const window = new OctetWindow(input);
  const header = await readHeader(window, ending);
  if (header === null) return null;
  const { meta, sync } = header;
  const codec = meta['avro.codec']?.toString() ?? 'null';
  if (codec !== 'null' && codec !== 'deflate') {
    throw new AvroContainerError('codec_unknown', `the codec is ${codec}; null and deflate can be read`);
  }
  const { schema, end } = readSchema(meta['avro.schema']);
  const layout = { sync, deflated: codec === 'deflate', end, limitOctets, ending };
  return { writerSchema: schema, syncMarker: sync, blocks: readBlocks(window, layout) };
}

interface Header {
  meta: Record<string, Buffer>;
  sync: Buffer;
}

async function readHeader(window: OctetWindow, ending: FileEnding): Promise<Header | null> {
  await window.grow(MAGIC.length);
  const start = window.octets.subarray(0, MAGIC.length);
  if (!start.equals(ending.isFinal ? MAGIC : MAGIC.subarray(0, start.length))) {
    throw new AvroContainerError('not_a_container', 'does not start as an Avro object container file does');
  }
  let wanted = 4096;
  for (;;) {
    const more = await window.grow(wanted);
    const end = headerEnd(window.octets, 0);
    if (end !== -1) {
      const header = HEADER_TYPE.fromBuffer(window.octets.subarray(0, end));
      window.skip(end);
      return header;
    }
    wanted = window.octets.length * 2;
    if (wanted > MAX_HEADER_OCTETS || (!more && ending.isFinal)) {
      throw new AvroContainerError('header_damaged', 'the header is damaged');
    }
    if (!more) {
      ending.holdBack(window.octets.length, 'a file header that is not whole');
      return null;
    }
  }
}

function readSchema(json: Buffer | undefined): { schema: AvroSchema; end: DatumEnd } {
  try {
    const schema = JSON.parse(json?.toString() ?? '') as AvroSchema;
    return { schema, end: datumEnd(parseAvroSchema(schema)) };
  } catch (cause) {
    const message = `the schema in the header is not an Avro schema: ${(cause as Error).message}`;
    throw new AvroContainerError('schema_unreadable', message, cause);
  }
}

interface Layout {
  sync: Buffer;
  deflated: boolean;
  end: DatumEnd;
  limitOctets: number;
  ending: FileEnding;
}

/** Where a block lies in the window: its header and its data, and whether the sync marker is after it. */
interface Block {
  count: number;
  dataStart: number;
  dataEnd: number;
  marked: boolean;
}

async function* readBlocks(window: OctetWindow, layout: Layout): AsyncGenerator<ContainerRecord[], void, undefined> {
  while (await window.grow(1)) {
    const block = await findBlock(window, 0, layout.sync);
    if (typeof block === 'string') {
      const damage = await skipDamage(window, block, layout);
      if (damage !== null) yield [damage];
    } else if (!block.marked && !(await isFollowed(window, block, layout.sync))) {
      const damage = await skipDamage(window, UNMARKED, layout);
      if (damage !== null) yield [damage];
    } else {
      const whole = window.octets.subarray(0, block.dataEnd);
      window.skip(block.dataEnd + SYNC_OCTETS);
      const data = whole.subarray(block.dataStart);
      const records = block.marked ? await datumsOf(data, block.count, layout, window.offset) : UNMARKED;
      yield typeof records === 'string'
        ? [damaged(whole, whole.length, records, layout.limitOctets, window.offset)]
        : records;
    }
  }
}

/** The block that starts at `start`; a text says why there is none. */
async function findBlock(window: OctetWindow, start: number, sync: Buffer): Promise<Block | string> {
  await window.grow(start + MAX_BLOCK_HEADER_OCTETS);
  const sizeStart = varintEnd(window.octets, start);
  const dataStart = sizeStart === -1 ? -1 : varintEnd(window.octets, sizeStart);
  if (dataStart === -1) return 'the header of the block is damaged';
  const count = varintValue(window.octets, start, sizeStart);
  const size = varintValue(window.octets, sizeStart, dataStart);
  if (count < 0 || size < 0 || size > MAX_BLOCK_OCTETS) return 'the count or size of the block is impossible';
  const dataEnd = dataStart + size;
  if (!(await window.grow(dataEnd + SYNC_OCTETS))) return 'the block is cut short';
  const marker = window.octets.subarray(dataEnd, dataEnd + SYNC_OCTETS);
  return { count, dataStart, dataEnd, marked: marker.equals(sync) };
}

/** Whether a whole block starts where this one would end: then only the marker between them is damaged. */
async function isFollowed(window: OctetWindow, block: Block, sync: Buffer): Promise<boolean> {
  const next = await findBlock(window, block.dataEnd + SYNC_OCTETS, sync);
  return typeof next !== 'string' && next.marked;
}

/**
 * Moves behind the next sync marker, or to the end; gives the octets on the way as one record. Null where they are held back: a
 * block without the marker behind it may still be written.
 */
async function skipDamage(window: OctetWindow, damage: string, layout: Layout): Promise<ContainerRecord | null> {
  const kept: Buffer[] = [];
  let keptOctets = 0;
  let octets = 0;
  const leave = (length: number): void => {
    const part = window.octets.subarray(0, Math.min(length, layout.limitOctets - keptOctets));
    // A copy, so that a few kept octets do not hold a whole read in memory.
    if (part.length > 0) kept.push(Buffer.from(part));
    keptOctets += part.length;
    octets += length;
    window.skip(length);
  };
  for (;;) {
    const at = window.octets.indexOf(layout.sync);
    if (at !== -1) {
      leave(at);
      window.skip(SYNC_OCTETS);
      break;
    }
    // The last octets may be the start of a marker.
    leave(Math.max(0, window.octets.length - SYNC_OCTETS + 1));
    if (!(await window.grow(SYNC_OCTETS))) {
      leave(window.octets.length);
      if (layout.ending.isFinal) break;
      layout.ending.holdBack(octets, 'a last block that is not whole');
      return null;
    }
  }
  return damaged(Buffer.concat(kept), octets, damage, layout.limitOctets, window.offset);
}

function damaged(
  octets: Buffer,
  trueOctets: number,
  damage: string,
  limitOctets: number,
  contentEnd: number,
): ContainerRecord {
  // No true length beside the value: the record is not too large, it is none.
  const value = octets.subarray(0, limitOctets);
  const record = new FramedRecord(value, 0, value.length, contentEnd);
  return Object.assign(record, { damage: `${damage} (${trueOctets} octets)` });
}

/** The datums of a block; a text says why they cannot be separated. */
async function datumsOf(
  stored: Buffer,
  count: number,
  layout: Layout,
  contentEnd: number,
): Promise<FramedRecord[] | string> {
  let data = stored;
  if (layout.deflated) {
    try {
      data = await inflate(stored, { maxOutputLength: MAX_BLOCK_OCTETS });
    } catch {
      return 'the block cannot be inflated';
    }
  }
  if (count > data.length) return 'the count of the block is impossible';
  const records: FramedRecord[] = [];
  let start = 0;
  while (records.length < count) {
    const end = layout.end(data, start);
    if (end === -1) return 'the block holds a datum that does not end';
    records.push(framedRecord(data, start, end - start, layout.limitOctets, contentEnd));
    start = end;
  }
  return start === data.length ? records : 'the block holds more than its datums';
}
