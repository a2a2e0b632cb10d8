import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import avro from 'avsc';
import { expect, onTestFinished, test } from 'vitest';
import { FLOW_RECORD_SCHEMA } from '../../generator/encode-avro.ts';
import { AdmissionKernel } from '../../rating/admission-kernel.ts';
import { FLOW_RECORD_FIELDS } from '../../rating/flow-record.ts';
import { incoming } from '../../rating/incoming.ts';
import { PLAIN_RULES } from '../../rating/record/record-limits.ts';
import { testRecord } from '../../rating/traffic.fixture.ts';
import type { FlowFile } from './flow-file.ts';
import { openFlowFile } from './open-flow-file.ts';

const readerSchema = JSON.parse(FLOW_RECORD_SCHEMA);
const RECORDS = [1, 2, 3].map((localSequenceNumber) => testRecord({ localSequenceNumber, zeroRatingTag: 'CHAT' }));

async function container(): Promise<Buffer> {
  const encoder = new avro.streams.BlockEncoder(readerSchema, { codec: 'deflate', blockSize: 64 });
  for (const record of RECORDS) encoder.write(record);
  encoder.end();
  const chunks: Buffer[] = [];
  for await (const chunk of encoder) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** By record of a file: whether the kernel reads it, and what the long way makes of it. */
async function readBoth(format: FlowFile['format'], content: Buffer) {
  const directory = mkdtempSync(join(tmpdir(), 'flow-file-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, `f.${format}`);
  writeFileSync(path, content);
  const file = { path, format, gzipped: false, totalOctets: content.length };
  const { batches, decode, close } = await openFlowFile(file, { maxRecordBytes: 65_536, readerSchema });
  const kernel = new AdmissionKernel();
  const read: { isPlain: boolean; sequence: unknown }[] = [];
  for await (const batch of batches) {
    for (const record of batch) {
      const { octets, valueStart, valueEnd, value } = record;
      const context = { decode, keyedByMsisdn: false, rules: PLAIN_RULES, bookingDay: 20_780 };
      kernel.load([{ ...incoming(value), octets, valueStart, valueEnd }], 0, context);
      const isPlain = kernel.read(0, 1, Number.POSITIVE_INFINITY) === 1;
      const { candidate, fault } = decode(value);
      read.push({ isPlain, sequence: candidate === undefined ? fault.reason : Number(candidate.localSequenceNumber) });
    }
  }
  close();
  return read;
}

test('the kernel reads plain records of every format that a file may have', async () => {
  const whole = [1, 2, 3].map((sequence) => ({ isPlain: true, sequence }));
  const lines = (texts: string[]) => Buffer.from(`${texts.join('\n')}\n`);
  const rows = RECORDS.map((record) => FLOW_RECORD_FIELDS.map((name) => record[name] ?? '').join(','));
  expect(await readBoth('avro', await container())).toEqual(whole);
  expect(await readBoth('ndjson', lines(RECORDS.map((record) => JSON.stringify(record))))).toEqual(whole);
  expect(await readBoth('csv', lines([FLOW_RECORD_FIELDS.join(','), ...rows]))).toEqual(whole);
});

test('a damaged block of an Avro container is left to the long way, which knows the damage', async () => {
  const octets = await container();
  // Within the first block's compressed data: after its marker in the header, its count and its size.
  const marker = octets.subarray(-16);
  octets.fill(0xff, octets.indexOf(marker) + 20, octets.indexOf(marker) + 24);
  const [damaged, ...rest] = await readBoth('avro', octets);
  expect(damaged).toEqual({ isPlain: false, sequence: 'malformed' });
  expect(rest.map(({ isPlain }) => isPlain)).toEqual(rest.map(() => true));
  expect(rest.length).toBeGreaterThan(0);
});
