import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { FLOW_RECORD_FIELDS } from '../../src/rating/flow-record.ts';
import { testRecord } from '../../src/rating/traffic.fixture.ts';
import { Zerorate } from './zerorate.fixture.ts';

const CATALOGUE = packagePath('fixtures/cases/catalogue.yaml');
const HEADER = FLOW_RECORD_FIELDS.join(',');
const record = (fields: object = {}) => JSON.stringify(testRecord(fields));
const row = FLOW_RECORD_FIELDS.map((name) => testRecord()[name] ?? '').join(',');

let zerorate: Zerorate;
beforeAll(async () => {
  zerorate = await Zerorate.build();
});
afterAll(() => zerorate?.remove());

let stores = 0;
const freshStore = () => zerorate.path(`store-${stores++}`);
const caseFile = (name: string) => packagePath(`fixtures/cases/${name}`);

function written(name: string, content: string | Buffer): string {
  const directory = zerorate.path(`files-${stores++}`);
  mkdirSync(directory);
  writeFileSync(`${directory}/${name}`, content);
  return `${directory}/${name}`;
}

const run = (source: string, store: string, more: readonly string[] = []) =>
  zerorate.run(['run', '--catalogue', CATALOGUE, '--source', source, '--store', store, ...more]);

interface Rejection {
  reason: string;
  detail: string;
}
const rejections = (store: string) =>
  zerorate.rows<Rejection>('SELECT reason, detail FROM rejections ORDER BY offset', store);

describe('the cases', () => {
  test('a misspelt column is refused with the name that was meant, by check too', async () => {
    const file = caseFile('csv/misspelt-column.csv');
    const message = `${file}:1: unknown column "contenttype" (did you mean "contentType"?); rename or remove it: a flow record has no such field [file_unreadable]\n`;
    expect(await run(file, freshStore())).toEqual({ code: 2, stdout: '', stderr: message });
    expect(await zerorate.run(['check', '--source', file])).toEqual({ code: 2, stdout: '', stderr: message });
  });

  test('lines that end with a carriage return alone are refused with the remedy', async () => {
    const { code, stderr } = await run(caseFile('csv/cr-only.csv'), freshStore());
    expect([code, stderr.split('\n').length]).toEqual([2, 2]);
    expect(stderr).toMatch(/cr-only\.csv:1: the lines end with a carriage return alone.*tr '\\r' '\\n'/);
  });

  test('leading zeros make no further subscriber', async () => {
    const file = caseFile('ndjson/leading-zeros.ndjson');
    const store = freshStore();
    expect((await run(file, store)).stdout).toMatch(/^5 records read .* 1 charged, .* 4 rejected/);
    const found = await rejections(store);
    expect(found.map(({ reason }) => reason)).toEqual(Array(4).fill('invalid_msisdn'));
    expect(found[0].detail).toMatch(/begins with 0, as no country code does .*; set msisdn\.internationalPrefix/);
    expect(found[3].detail).toMatch(/begins with \+; set msisdn\.acceptPlus/);
  });

  test('a configured prefix and plus are read as the same subscriber', async () => {
    const plus = written('plus.ndjson', `${record({ servedMsisdn: '+999000000001', localSequenceNumber: 9 })}\n`);
    copyFileSync(caseFile('ndjson/leading-zeros.ndjson'), `${plus}.ndjson`);
    const store = freshStore();
    const config = written(
      'zerorate.yaml',
      `catalogue: ${CATALOGUE}\nsource: { files: [${plus}.ndjson, ${plus}] }\nstore: { dir: ${store} }\n` +
        'msisdn: { acceptPlus: true, internationalPrefix: "00" }\n',
    );
    const { stdout } = await zerorate.run(['run', '--config', config]);
    expect(stdout).toMatch(/^6 records read .* 4 charged, .* 2 rejected/);
    expect(await zerorate.rows('SELECT count(DISTINCT subscriber) AS n FROM charges', store)).toEqual([{ n: 1 }]);
    const pseudonyms = new Set<string>();
    for (const msisdn of ['999000000001', '+999000000001', '00999000000001']) {
      pseudonyms.add((await zerorate.run(['subscriber', msisdn, '--config', config])).stdout);
    }
    expect([...pseudonyms]).toEqual([expect.stringMatching(/^[0-9a-f]{32}\n$/)]);
    for (const verify of [
      ['audit', '--against-source'],
      ['replay', '--verify'],
    ]) {
      expect(await zerorate.run([...verify, '--config', config])).toMatchObject({ code: 0 });
    }
  });

  test('seconds are named as what they look like', async () => {
    const store = freshStore();
    expect((await run(caseFile('ndjson/seconds.ndjson'), store)).stdout).toMatch(/0 charged, .* 1 rejected/);
    expect(await rejections(store)).toEqual([
      {
        reason: 'time_out_of_range',
        detail: 'startTime is not in 2000..2149; it looks like seconds since 1970; milliseconds are expected',
      },
    ]);
  });

  test('a record of the future is rejected, and replay and audit decide the same', async () => {
    const file = caseFile('ndjson/future.ndjson');
    const store = freshStore();
    expect((await run(file, store)).stdout).toMatch(/0 charged, .* 1 rejected/);
    const [{ reason, detail }] = await rejections(store);
    expect(reason).toBe('time_out_of_range');
    expect(detail).toMatch(/^startTime is \d+ days later than its log's time and limits\.maxFutureSkewMs allow$/);
    for (const verify of [['audit'], ['replay', '--verify']]) {
      expect(await zerorate.run([...verify, '--source', file, '--store', store])).toMatchObject({ code: 0 });
    }
  });

  test('without a limit a record of the future is charged', async () => {
    const env = { ZERORATE_LIMITS_MAX_FUTURE_SKEW_MS: '0' };
    const args = [
      'run',
      '--catalogue',
      CATALOGUE,
      '--source',
      caseFile('ndjson/future.ndjson'),
      '--store',
      freshStore(),
    ];
    expect((await zerorate.run(args, { env })).stdout).toMatch(/1 charged/);
  });
});

describe('a file that is something else gives one message, and nothing is booked, not of the files beside it either', () => {
  test.each<[string, string, string | Buffer, RegExp]>([
    ['a JSON array', 'a.json', `[${record()},\n${record()}]\n`, /a\.json:1: holds a JSON array/],
    ['pretty-printed JSON', 'a.json', JSON.stringify(testRecord(), null, 2), /a\.json:1: .*pretty-printed/],
    ['UTF-16', 'a.csv', Buffer.from(`\ufeff${HEADER}\n${row}\n`, 'utf16le'), /a\.csv: is UTF-16LE text/],
    ['gzip under another ending', 'a.ndjson', gzipSync(record()), /a\.ndjson: is gzip data; end its name in \.gz/],
    ['gzip twice', 'a.csv.gz', gzipSync(gzipSync(HEADER)), /a\.csv\.gz: is gzip data/],
    ['semicolons', 'a.csv', `${HEADER.replaceAll(',', ';')}\n`, /a\.csv:1: the cells are separated by semicolons/],
    ['CSV for JSON', 'a.ndjson', `${HEADER}\n${row}\n`, /a\.ndjson:1: begins with a CSV header/],
    ['JSON for CSV', 'a.csv', `${record()}\n`, /a\.csv:1: holds JSON/],
    ['no header', 'a.csv', `${row}\n`, /a\.csv:1: the first line is no header/],
  ])('%s', async (_, name, content, message) => {
    const path = written(name, content);
    const good = written('good.ndjson', `${record()}\n`);
    const store = freshStore();
    const args = ['run', '--catalogue', CATALOGUE, '--source', good, path, '--store', store];
    const { code, stdout, stderr } = await zerorate.run(args);
    expect([code, stdout, stderr.trimEnd().split('\n').length]).toEqual([2, '', 1]);
    expect(stderr).toMatch(message);
    expect((await zerorate.run(['query', 'SELECT 1', '--store', store])).stderr).toMatch(/no store is there/);
    expect(await zerorate.run(['check', '--source', path])).toMatchObject({ code: 2, stderr });
  });
});

test('a byte order mark, CRLF, blank lines and capital endings are read', async () => {
  const csv = written('a.CSV', `\ufeff${HEADER}\r\n\r\n${row}\r\n`);
  const json = written('a.NDJSON', `\ufeff${record({ localSequenceNumber: 2 })}\r\n\r\n`);
  const { stdout } = await zerorate.run(['check', '--source', csv, json]);
  expect(stdout.match(/1 record, all of them can be rated/g)).toHaveLength(2);
});

test('a name that is twice in a record, or misspelt, is rejected by name: from a file and by explain', async () => {
  const twice = record().replace('{', '{"startTime":1,');
  const misspelt = record().replace('"contentType"', '"contenttype"');
  const store = freshStore();
  await run(written('a.ndjson', `${twice}\n${misspelt}\n`), store);
  expect(await rejections(store)).toEqual([
    { reason: 'malformed', detail: 'startTime is in it twice' },
    { reason: 'invalid_field', detail: 'contenttype is no field of a flow record; did you mean contentType?' },
  ]);
  const explained = await zerorate.run(['explain', twice, '--catalogue', CATALOGUE]);
  expect(explained.stdout).toMatch(/decode +startTime is in it twice/);
});

test('a corrected record that has a name twice, or a number with a leading zero, is refused before it is handed in', async () => {
  const store = freshStore();
  await run(written('a.ndjson', `${record({ servedMsisdn: '0170' })}\n`), store);
  const place = { topic: 'a.ndjson~0', partition: 0, offset: 0 };
  const lines = [
    JSON.stringify({ ...place, record: testRecord() }).replace('"record":{', '"record":{"protocol":6,'),
    JSON.stringify({ ...place, offset: 1, record: testRecord({ servedMsisdn: '0170' }) }),
  ];
  const file = written('corrected.ndjson', lines.join('\n'));
  const args = ['rejections', 'recycle', file, '--why', 'test', '--catalogue', CATALOGUE, '--store', store];
  const { code, stderr } = await zerorate.run(args);
  expect(code).toBe(2);
  expect(stderr).toMatch(/:1: has a name twice[^\n]*\n.*:2: record: .*invalid_msisdn/);
});
