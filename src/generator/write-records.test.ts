import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import avro from 'avsc';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FlowRecord, NO_LATER_FIELDS } from '../rating/flow-record.ts';
import { FLOW_RECORD_SCHEMA } from './encode-avro.ts';
import { CSV_HEADER } from './encode-text.ts';
import type { GenerateOptions } from './generate-options.ts';
import { generateRecords } from './generate-records.ts';
import { malformationsOf } from './malformations.ts';
import { generateToFile, writeRecords } from './write-records.ts';

const OPTIONS: GenerateOptions = {
  seed: 11,
  records: 3500,
  subscribers: 200,
  targets: [{ tags: ['CHÂT, "1"\\'], prefixes: ['198.51.100.0/24', '2001:db8::/32'] }],
  startTimeMs: Date.UTC(2026, 9, 1),
  endTimeMs: Date.UTC(2026, 10, 1),
  duplicate: 0.05,
  late: 0.02,
};
const COLUMNS = CSV_HEADER.split(',') as (keyof FlowRecord)[];
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerorate-generator-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function expected(options: GenerateOptions = OPTIONS) {
  return [...generateRecords(options)].map((generated) =>
    'record' in generated ? generated.record : generated.fields,
  );
}

/** What is written as text: no field of the network is generated. */
function withoutNetwork(record: object) {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !(name in NO_LATER_FIELDS)));
}

async function write(name: string, options: GenerateOptions = OPTIONS) {
  const path = join(folder, name);
  return { path, totals: await generateToFile({ path, options }) };
}

function decodeContainer(path: string): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const values: unknown[] = [];
    createReadStream(path)
      .pipe(new avro.streams.BlockDecoder())
      .on('data', (value) => values.push({ ...value }))
      .on('error', reject)
      .on('end', () => resolve(values));
  });
}

test('NDJSON is read back unchanged, also compressed', async () => {
  const plain = readFileSync((await write('flows.ndjson')).path, 'utf8');
  const lines = plain.trimEnd().split('\n');
  expect(lines).toEqual(expected().map((record) => JSON.stringify(withoutNetwork(record))));
  const packed = readFileSync((await write('flows.ndjson.gz')).path);
  expect(gunzipSync(packed).toString()).toBe(plain);
});

test('CSV is read back unchanged', async () => {
  const rows: Record<string, string>[] = parse(readFileSync((await write('flows.csv')).path), {
    columns: true,
  });
  const asText = expected().map((record) =>
    Object.fromEntries(COLUMNS.map((name) => [name, String(record[name] ?? '')])),
  );
  expect(rows).toEqual(asText);
});

test('an Avro container is read back unchanged, with malformed records in it', async () => {
  const options = { ...OPTIONS, malformed: 0.1, oversizedOctets: 2000 };
  const { path, totals } = await write('flows.avro', options);
  const values = await decodeContainer(path);
  expect(values).toEqual(expected({ ...options, malformations: malformationsOf('avro') }));
  expect(totals.malformed).toBeGreaterThan(200);
});

test('an empty file of each format is valid', async () => {
  const none = { ...OPTIONS, records: 0 };
  expect(readFileSync((await write('none.ndjson', none)).path, 'utf8')).toBe('');
  expect(readFileSync((await write('none.csv', none)).path, 'utf8')).toBe(`${CSV_HEADER}\n`);
  expect(await decodeContainer((await write('none.avro', none)).path)).toEqual([]);
});

test.each(['ndjson', 'csv', 'avro'])('the same seed gives the same %s octets', async (ending) => {
  const options = { ...OPTIONS, malformed: 0.1, oversizedOctets: 2000 };
  const digest = async (name: string, seed: number) => {
    const { path } = await write(`${name}.${ending}`, { ...options, seed });
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  };
  const first = await digest('first', 1);
  expect(await digest('second', 1)).toBe(first);
  expect(await digest('other', 2)).not.toBe(first);
});

test('totals are those of the generator, and progress ends with the last record', async () => {
  const progress: number[] = [];
  const path = join(folder, 'progress.ndjson');
  const totals = await generateToFile({ path, options: OPTIONS, onProgress: (written) => progress.push(written) });
  const records = generateRecords({ ...OPTIONS, malformations: malformationsOf('ndjson') });
  let last = records.next();
  while (!last.done) last = records.next();
  expect(totals).toEqual(last.value);
  expect(progress).toEqual([1000, 2000, 3000, 3500]);
});

test('a slow stream sets the pace', async () => {
  let writtenByStream = 0;
  let ahead = 0;
  const slow = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, done) {
      writtenByStream += chunk.toString().split('\n').length - 1;
      setImmediate(done);
    },
  });
  const onProgress = (made: number) => {
    ahead = Math.max(ahead, made - writtenByStream);
  };
  await writeRecords({ format: 'ndjson', options: { ...OPTIONS, records: 20_000 }, stream: slow, onProgress });
  expect(writtenByStream).toBe(20_000);
  expect(ahead).toBeLessThanOrEqual(4000);
});

test('a failing stream rejects the call', async () => {
  const failing = new Writable({ write: (_chunk, _encoding, done) => done(new Error('disk full')) });
  await expect(writeRecords({ format: 'ndjson', options: OPTIONS, stream: failing })).rejects.toThrow('disk full');
});

test.each(['flows.parquet', 'flows.cdr'])('%s is refused for its ending before anything is written', async (name) => {
  const path = join(folder, name);
  const message = /the ending is none of a generated format; use .ndjson/;
  await expect(generateToFile({ path, options: OPTIONS })).rejects.toThrow(message);
  expect(existsSync(path)).toBe(false);
});

test('invalid options leave an older file unchanged', async () => {
  const { path } = await write('older.ndjson', { ...OPTIONS, records: 1 });
  await expect(generateToFile({ path, options: { ...OPTIONS, subscribers: 0 } })).rejects.toThrow(/subscribers/);
  expect(readFileSync(path, 'utf8').length).toBeGreaterThan(0);
});

test('a missing folder is named', async () => {
  const path = join(folder, 'nowhere', 'flows.csv');
  await expect(generateToFile({ path, options: OPTIONS })).rejects.toThrow(`${path}: cannot be written`);
});

test('an explicit format overrides the name', async () => {
  const path = join(folder, 'flows.data');
  const format = 'avro';
  await generateToFile({ path, format, options: { ...OPTIONS, records: 1 } });
  expect(readFileSync(path).includes(FLOW_RECORD_SCHEMA)).toBe(true);
});
