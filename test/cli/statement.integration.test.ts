import { readFileSync, writeFileSync } from 'node:fs';
import { query } from 'chdb';
import { parse } from 'csv-parse/sync';
import readExcelFile from 'read-excel-file/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { type Finished, Zerorate } from './zerorate.fixture.ts';

const CATALOGUE = packagePath('fixtures/demo/catalogue.yaml');
const STORE = ['--store', 'store'];
const LUMEN = ['--sponsor', 'lumen', '--month', '2026-03', ...STORE];

let zerorate: Zerorate;

beforeAll(async () => {
  zerorate = await Zerorate.build();
  const span = [
    '--from',
    '2026-03-01T00:00:00Z',
    '--to',
    '2026-03-31T00:00:00Z',
    '--late',
    '0.02',
    '--malformed',
    '0.01',
  ];
  await done(['generate', '--out', 'march.ndjson', '--records', '3000', '--seed', '8', ...span]);
  await done(['run', '--catalogue', CATALOGUE, '--source', 'march.ndjson', ...STORE]);
});
afterAll(() => zerorate?.remove());

async function done(args: readonly string[]): Promise<Finished> {
  const finished = await zerorate.run(args);
  expect(finished.code, finished.stdout + finished.stderr).toBe(0);
  return finished;
}

const read = (name: string) => readFileSync(zerorate.path(name), 'utf8');
const close = (month: string) =>
  zerorate.run(['close', '--sponsor', 'lumen', '--month', month, '--who', 'Ada', ...STORE]);

test('months are closed in order, once; the statement of a closed month stays, octet by octet', async () => {
  const tooEarly = await close('2026-03');
  expect(tooEarly).toMatchObject({ code: 2, stdout: '' });
  expect(tooEarly.stderr).toMatch(/^2026-01 of lumen is open: .* \[earlier_month_open\]$/m);
  for (const month of ['2026-01', '2026-02', '2026-03']) {
    const { code, stdout } = await close(month);
    expect(stdout).toMatch(
      new RegExp(
        `^${month} of lumen is closed: [\\d ]+ records?, \\d+(\\.\\d+)? JPY, .* Merkle root [0-9a-f]{64}$`,
        'm',
      ),
    );
    expect(code).toBe(0);
  }
  await done(['statement', ...LUMEN, '--out', 'closed.json']);
  const again = await close('2026-03');
  expect(again.stdout).toMatch(/^2026-03 of lumen was closed by Ada at \S+: nothing was booked$/m);
  expect(again.code).toBe(0);

  const span = ['--from', '2026-04-01T00:00:00Z', '--to', '2026-04-30T00:00:00Z', '--late', '0.2'];
  await done(['generate', '--out', 'april.ndjson', '--records', '2000', '--seed', '9', ...span]);
  await done(['run', '--catalogue', CATALOGUE, '--source', 'april.ndjson', ...STORE]);
  await done(['statement', ...LUMEN, '--out', 'again.json']);
  expect(read('again.json')).toBe(read('closed.json'));
  await done(['statement', '--sponsor', 'lumen', '--month', '2026-04', '--out', 'april.json', ...STORE]);
  const { lines, totals } = JSON.parse(read('april.json'));
  expect(lines.some((line: { isAdjustment: boolean }) => line.isAdjustment)).toBe(true);
  expect(Number(totals.adjustmentMicros)).toBeGreaterThan(0);
});

test('a statement in every format says the same amount due', async () => {
  await done(['statement', ...LUMEN, '--out', 'statement.json', '--rows', 'rows.csv']);
  const { totals, due, proof, byDay } = JSON.parse(read('statement.json'));
  await done(['statement', ...LUMEN, '--out', 'statement.html']);
  expect(read('statement.html').replaceAll('\u2009', '')).toContain(`>${due.amountDue}<small>JPY</small>`);

  const csv = (await done(['statement', ...LUMEN, '--format', 'csv'])).stdout.trim().split('\n').slice(1);
  const micros = csv.reduce((sum, line) => sum + BigInt(line.split(',').at(-2) ?? ''), 0n);
  expect(String(micros)).toBe(due.amountDueMicros);

  await done(['statement', ...LUMEN, '--out', 'statement.xlsx']);
  const sheets = await readExcelFile(zerorate.path('statement.xlsx'));
  expect(sheets.find(({ sheet }) => sheet === 'Days')?.data).toHaveLength(byDay.length + 1);

  await done(['statement', ...LUMEN, '--out', 'rows.parquet']);
  const parquet = query(
    `SELECT count() AS rows, toString(sum(charge_micros)) AS micros, toTypeName(any(start_time)) AS time FROM file('${zerorate.path('rows.parquet')}', Parquet)`,
    'JSONEachRow',
  );
  expect(JSON.parse(parquet)).toEqual({
    rows: proof.leaves,
    micros: totals.totalMicros,
    time: expect.stringContaining('DateTime64(3'),
  });
});

describe('offline, without store or catalogue', () => {
  const verify = (...args: string[]) => zerorate.run(['verify', ...args]);

  test('a statement holds by its rows; one changed octet is named', async () => {
    expect((await verify('statement.json', 'rows.csv')).stdout).toMatch(
      /^holds {3}statement\.json: lumen, 2026-03: [\d ]+ rows make \d+ JPY/,
    );
    const lines = read('rows.csv').split('\n');
    // The last cells are sponsored and subscriber octets, charge, currency and counter.
    lines[7] = lines[7].replace(/(\d+)(,\d+,\d+,"JPY",\d+)$/, (_, octets, rest) => `${Number(octets) + 1}${rest}`);
    writeFileSync(zerorate.path('changed.csv'), lines.join('\n'));
    const { code, stdout } = await verify('statement.json', 'changed.csv');
    expect(stdout).toMatch(
      /^BROKEN {2}statement\.json: lines\[lumen-\w+, lumen-[\w-]+ version 1, 2026-03\]\.sponsoredOctets: \d+ in the statement, \d+ recomputed$/m,
    );
    expect(stdout).toMatch(/^BROKEN {2}statement\.json: proof\.merkleRoot: /m);
    expect(code).toBe(1);
  });

  test('one record’s proof is cut out, and checked by the statement or its root', async () => {
    const [topic, partition, offset] = read('rows.csv').split('\n')[5].split(',');
    const place = ['--topic', topic.replaceAll('"', ''), '--partition', partition, '--offset', offset];
    await done(['prove', 'rows.csv', '--statement', 'statement.json', ...place, '--out', 'proof.json']);
    const { merkleRoot } = JSON.parse(read('proof.json'));
    expect((await verify('proof.json', '--root', merkleRoot)).stdout).toMatch(
      /^holds {3}proof\.json: record \d+ of .* is in the bill of lumen, 2026-03/,
    );
    const alone = await verify('proof.json');
    expect(alone).toMatchObject({ code: 2, stdout: '' });
    expect(alone.stderr).toMatch(
      /^proof\.json: a proof names the Merkle root that it leads to itself, so alone it proves nothing/m,
    );
    const byStatement = await verify('proof.json', '--statement', 'statement.json');
    expect(byStatement).toMatchObject({ code: 0, stdout: expect.stringMatching(/^holds {3}proof\.json: record/) });
    expect(byStatement.stdout).toMatch(/^not proven: who issued the statement/m);
    expect(await verify('proof.json', '--root', 'f'.repeat(64))).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^BROKEN .* it names/),
    });
    writeFileSync(
      zerorate.path('forged.json'),
      read('proof.json').replace(/"charge_micros": "/, '"charge_micros": "1'),
    );
    expect(await verify('forged.json', '--statement', 'statement.json')).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^BROKEN .* leads to the root/),
    });
    const changed = await zerorate.run(['prove', 'changed.csv', '--statement', 'statement.json', ...place]);
    expect(changed).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^BROKEN {2}changed\.csv: does not make the Merkle root/),
    });
  });

  test.each<[string, () => [string, string, string[]], RegExp]>([
    [
      'a statement cut off',
      () => ['cut.json', read('statement.json').slice(0, 900), ['rows.csv']],
      /^cut\.json:\d+: the file ends too early/,
    ],
    [
      'a statement that is no JSON',
      () => ['bad.json', '{ "format": }', ['rows.csv']],
      /^bad\.json:1: not valid JSON here/,
    ],
    [
      'a statement with a field that is none',
      () => ['odd.json', read('statement.json').replace('"leaves": ', '"leaves": -'), ['rows.csv']],
      /^odd\.json:\d+: proof\.leaves: expected at least 0/m,
    ],
    [
      'rows cut off',
      () => ['cut.csv', read('rows.csv').slice(0, -9), []],
      /^cut\.csv:\d+: the file ends within a line/,
    ],
    ['a statement without rows', () => ['alone.json', read('statement.json'), []], /^alone\.json: which rows\?/],
    [
      'a root that is none',
      () => ['same.json', read('statement.json'), ['rows.csv', '--root', 'abc']],
      /--root abc: expected 64/,
    ],
  ])('%s is refused with file and line', async (_, make, line) => {
    const [name, text, others] = make();
    writeFileSync(zerorate.path(name), text);
    const { code, stderr } = name.endsWith('.csv')
      ? await verify('statement.json', name)
      : await verify(name, ...others);
    expect(stderr).toMatch(line);
    expect(code).toBe(2);
  });
});

test.each<[string, string[], RegExp]>([
  [
    'an unknown sponsor',
    ['statement', '--sponsor', 'lumens', '--month', '2026-03', ...STORE],
    /lumens: the store knows no such sponsor; it knows chatter, lumen/,
  ],
  [
    'a month that is none',
    ['statement', '--sponsor', 'lumen', '--month', '2026-13', ...STORE],
    /--month 2026-13: expected a month/,
  ],
  [
    'a month before the first closed',
    ['statement', '--sponsor', 'lumen', '--month', '2025-12', ...STORE],
    /2025-12: the first month of lumen that was closed is 2026-01/,
  ],
  ['a format that is none', ['statement', ...LUMEN, '--format', 'pdf'], /--format pdf: expected one of html/],
  [
    'a file of an unknown format',
    ['statement', ...LUMEN, '--out', 'bill.doc'],
    /--out bill\.doc: its ending says no format/,
  ],
  ['a workbook to a terminal', ['statement', ...LUMEN, '--format', 'xlsx'], /--format xlsx is for a file/],
  [
    'a file that cannot be written',
    ['statement', ...LUMEN, '--out', 'nowhere/bill.json'],
    /nowhere\/bill\.json: cannot be written/,
  ],
  [
    'no store there',
    ['close', '--sponsor', 'lumen', '--month', '2026-03', '--who', 'Ada', '--store', 'nowhere'],
    /nowhere: no store is there/,
  ],
  [
    'a month that is not over',
    ['close', '--sponsor', 'lumen', '--month', '2148-12', '--who', 'Ada', ...STORE],
    /2148-12 of lumen is not over.*month_not_over/,
  ],
  [
    'no name of who closes',
    ['close', '--sponsor', 'lumen', '--month', '2026-04', '--who', ' ', ...STORE],
    /--who: expected a name/,
  ],
  [
    'an unknown sponsor to close',
    ['close', '--sponsor', 'x', '--month', '2026-04', '--who', 'Ada', ...STORE],
    /x: the store knows no such sponsor/,
  ],
  [
    'a record that is not in the bill',
    ['prove', 'rows.csv', '--statement', 'statement.json', '--topic', 'x', '--offset', '1'],
    /rows\.csv: has no row of x/,
  ],
])('%s is refused with exit code 2', async (_, args, line) => {
  const { code, stderr } = await zerorate.run(args);
  expect(stderr).toMatch(line);
  expect(code).toBe(2);
});

test('the invoice of a closed month is the same in every format, and costs add up to it', async () => {
  await done(['statement', ...LUMEN, '--out', 'invoice.json']);
  await done(['statement', ...LUMEN, '--out', 'invoice.xml']);
  await done(['statement', ...LUMEN, '--format', 'focus', '--out', 'costs.csv']);
  await done(['statement', ...LUMEN, '--out', 'lines.csv']);
  const { due, invoice } = JSON.parse(read('invoice.json'));
  expect(invoice).toMatchObject({
    number: expect.stringMatching(/^ZR-\d{4}-\d{6}$/),
    buyer: { tax: { category: 'O' } },
  });
  const xml = read('invoice.xml');
  expect(xml).toContain(`<cbc:ID>${invoice.number}</cbc:ID>`);
  expect(xml).toContain(`<cbc:PayableAmount currencyID="JPY">${due.amountDue}</cbc:PayableAmount>`);
  const sumOf = (file: string, column: string) => {
    const rows: Record<string, string>[] = parse(read(file), { columns: true });
    return rows.reduce((sum, row) => sum + BigInt(row[column].replace(/^(-?\d+)\.(\d{6})$/, '$1$2')), 0n);
  };
  expect(sumOf('costs.csv', 'BilledCost')).toBe(BigInt(due.amountDueMicros));
  expect(sumOf('lines.csv', 'amount_micros')).toBe(BigInt(due.amountDueMicros));
  const open = await zerorate.run([
    'statement',
    '--sponsor',
    'pigeon',
    '--month',
    '2026-03',
    ...STORE,
    '--format',
    'ubl',
  ]);
  expect(open).toMatchObject({ code: 2, stdout: '' });
  expect(open.stderr).toMatch(
    /pigeon, 2026-03: the statement is no invoice: the catalogue has no `invoicing` or no `buyer`/,
  );
});

test('nothing was booked by what was refused', async () => {
  expect(await zerorate.rows('SELECT count() AS closed FROM closings', 'store')).toEqual([{ closed: 3 }]);
});
