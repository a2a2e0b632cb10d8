import { Readable } from 'node:stream';
import { deflateRawSync } from 'node:zlib';
import avro from 'avsc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AvroContainer, type AvroContainerErrorCode, openAvroContainer } from './avro-container.ts';
import { FileEnding } from './file-ending.ts';

const schema = {
  type: 'record',
  name: 'Call',
  fields: [
    { name: 'nodeId', type: 'string' },
    { name: 'octets', type: 'long' },
  ],
} as const satisfies avro.Schema;
const callType = avro.Type.forSchema(schema);
const sync = Buffer.from('0123456789abcdef');

interface ContainerBlock {
  count?: number;
  size?: number;
  data: Buffer;
  sync?: Buffer;
}

const long = (value: number): Buffer => avro.Type.forSchema('long').toBuffer(value);
const datum = (nodeId: string): Buffer => callType.toBuffer({ nodeId, octets: 1000 });

function header(meta: Record<string, string> = { 'avro.schema': JSON.stringify(schema) }): Buffer {
  const entries = Object.fromEntries(Object.entries(meta).map(([name, text]) => [name, Buffer.from(text)]));
  return Buffer.concat([
    Buffer.from('Obj\x01', 'latin1'),
    avro.Type.forSchema({ type: 'map', values: 'bytes' }).toBuffer(entries),
    sync,
  ]);
}

function blockOctets({ count = 2, data, size = data.length, sync: marker = sync }: ContainerBlock): Buffer {
  return Buffer.concat([long(count), long(size), data, marker]);
}

function block(...nodeIds: string[]): ContainerBlock {
  return { count: nodeIds.length, data: Buffer.concat(nodeIds.map(datum)) };
}

/** Each record as its nodeId, or as what is wrong with its block. */
async function recordsOf(
  file: Buffer,
  { chunkOctets = file.length, limitOctets = 1000, ending = new FileEnding(true) } = {},
): Promise<string[]> {
  const chunks: Buffer[] = [];
  for (let at = 0; at < file.length; at += chunkOctets) chunks.push(file.subarray(at, at + chunkOctets));
  const container = await openAvroContainer(Readable.from(chunks), limitOctets, ending);
  const records: string[] = [];
  if (container === null) return records;
  for await (const batch of container.blocks) {
    for (const { value, damage, oversizedOctets } of batch) {
      if (damage !== undefined) records.push(damage);
      else if (oversizedOctets > 0) records.push(`${value.length} of ${oversizedOctets} octets`);
      else records.push(callType.fromBuffer(value).nodeId);
    }
  }
  return records;
}

test.each(['null', 'deflate'])('reads what avsc writes with the codec %s', async (codec) => {
  const nodeIds = Array.from({ length: 5000 }, (_, index) => `pgw-${index}`);
  const encoder = new avro.streams.BlockEncoder(schema, { codec, blockSize: 4096 });
  for (const nodeId of nodeIds) encoder.write({ nodeId, octets: 1 });
  encoder.end();
  const chunks: Buffer[] = [];
  for await (const chunk of encoder) chunks.push(chunk);
  expect(await recordsOf(Buffer.concat(chunks), { chunkOctets: 1000 })).toEqual(nodeIds);
});

test('returns the schema and the marker of the file', async () => {
  const container = (await openAvroContainer(Readable.from([header()]), 1000)) as AvroContainer;
  expect(container.writerSchema).toEqual(schema);
  expect(container.syncMarker).toEqual(sync);
});

test('gives the same records however the octets arrive', async () => {
  const lost = { ...block('lost'), sync: Buffer.alloc(16) };
  const file = Buffer.concat([header(), ...[block('a', 'b'), lost, block('c')].map(blockOctets)]);
  const expected = await recordsOf(file);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: file.length }), async (chunkOctets) => {
      expect(await recordsOf(file, { chunkOctets })).toEqual(expected);
    }),
  );
});

describe('a damaged block gives one record, and the next block is read', () => {
  const deflated = { count: 1, data: deflateRawSync(datum('x')) };
  test.each<[string, ContainerBlock, RegExp]>([
    ['a damaged marker', { ...block('x'), sync: Buffer.alloc(16) }, /^no sync marker after the block \(6 octets\)$/],
    ['a negative size', { ...block('x'), size: -1 }, /size of the block is impossible/],
    ['a size of 2^40', { ...block('x'), size: 2 ** 40 }, /size of the block is impossible/],
    ['a size beyond the file', { ...block('x'), size: 1 << 20 }, /cut short/],
    ['a size that is too small', { ...block('x'), size: 2 }, /no sync marker/],
    ['a negative count', { ...block('x'), count: -4 }, /size of the block is impossible/],
    ['a count of 2^40', { ...block('x'), count: 2 ** 40 }, /count of the block is impossible/],
    ['too small a count', { ...block('x', 'y'), count: 1 }, /more than its datums/],
    ['too large a count', { ...block('x', 'y'), count: 3 }, /datum that does not end/],
    ['a text longer than the block', { count: 1, data: Buffer.concat([long(500), datum('x')]) }, /does not end/],
    ['a header without an end', { count: 1, size: 1, data: Buffer.alloc(40, 0xff) }, /no sync marker/],
    ['data under another codec', deflated, /does not end|more than its datums/],
  ])('%s', async (_case, bad, damage) => {
    const file = Buffer.concat([header(), ...[block('a', 'b'), bad, block('c', 'd')].map(blockOctets)]);
    expect(await recordsOf(file)).toEqual(['a', 'b', expect.stringMatching(damage), 'c', 'd']);
  });

  test('data that cannot be inflated', async () => {
    const bad = { count: 1, data: Buffer.from('no deflate') };
    const file = Buffer.concat([
      header({ 'avro.schema': JSON.stringify(schema), 'avro.codec': 'deflate' }),
      ...[deflated, bad, deflated].map(blockOctets),
    ]);
    expect(await recordsOf(file)).toEqual(['x', 'the block cannot be inflated (12 octets)', 'x']);
  });

  test('a file that ends inside of a block', async () => {
    const file = Buffer.concat([header(), blockOctets(block('a')), blockOctets(block('b', 'c')).subarray(0, -20)]);
    expect(await recordsOf(file)).toEqual(['a', expect.stringMatching(/cut short \(\d+ octets\)/)]);
  });
});

test('keeps the first octets of a damaged block, up to the limit', async () => {
  const bad = { count: 1, data: Buffer.alloc(500, 'x'), sync: Buffer.alloc(16) };
  const container = (await openAvroContainer(Readable.from([header(), blockOctets(bad)]), 100)) as AvroContainer;
  const { value: records } = await container.blocks.next();
  expect(records).toHaveLength(1);
  expect(records?.[0]?.value).toEqual(blockOctets(bad).subarray(0, 100));
});

test('cuts a datum above the limit and says its true length', async () => {
  const file = Buffer.concat([header(), blockOctets(block('a', 'x'.repeat(200), 'b'))]);
  expect(await recordsOf(file, { limitOctets: 50 })).toEqual(['a', '50 of 204 octets', 'b']);
});

test('reads empty blocks and a file without blocks', async () => {
  expect(await recordsOf(Buffer.concat([header(), blockOctets(block()), blockOctets(block('a'))]))).toEqual(['a']);
  expect(await recordsOf(header())).toEqual([]);
});

test.each<[string, Buffer, AvroContainerErrorCode]>([
  ['no octets', Buffer.alloc(0), 'not_a_container'],
  ['another file', Buffer.from('{"nodeId":"pgw-1"}'), 'not_a_container'],
  ['a cut header', header().subarray(0, 60), 'header_damaged'],
  ['no schema', header({}), 'schema_unreadable'],
  ['a schema that is none', header({ 'avro.schema': '{"type":"recrod"}' }), 'schema_unreadable'],
  ['another codec', header({ 'avro.schema': JSON.stringify(schema), 'avro.codec': 'snappy' }), 'codec_unknown'],
])('refuses %s', async (_case, file, code) => {
  await expect(openAvroContainer(Readable.from([file]), 1000)).rejects.toMatchObject({
    name: 'AvroContainerError',
    code,
    canRetry: false,
  });
});

test('never throws on what follows the header', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.uint8Array(), fc.constant(sync), fc.constant(blockOctets(block('a'))))),
      async (parts) => {
        await recordsOf(Buffer.concat([header(), ...parts]));
      },
    ),
  );
});

test('a file that grows octet by octet has the records of its whole blocks, and the rest is held back', async () => {
  const start = header();
  const [first, second] = [block('a', 'b'), block('c')].map(blockOctets);
  const file = Buffer.concat([start, first, second]);
  for (let octets = 0; octets <= file.length; octets++) {
    const ending = new FileEnding(false);
    const records = await recordsOf(file.subarray(0, octets), { chunkOctets: 50, ending });
    const isFirst = octets >= start.length + first.length;
    expect(records, `${octets}`).toEqual(octets === file.length ? ['a', 'b', 'c'] : isFirst ? ['a', 'b'] : []);
    const isWhole = [start.length, start.length + first.length, file.length].includes(octets);
    if (isWhole) expect(ending.heldBack).toBe(null);
    else expect(ending.heldBack?.octets, `${octets}`).toBeGreaterThanOrEqual(octets === 0 ? 0 : 1);
  }
  await expect(recordsOf(Buffer.from('no'), { ending: new FileEnding(false) })).rejects.toThrow(/does not start/);
});
