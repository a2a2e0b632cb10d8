import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MALFORMATIONS } from '../../src/generator/malformations.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { builtModule } from '../servers/built.ts';
import { Zerorate } from './zerorate.fixture.ts';

const CATALOGUE = packagePath('fixtures/demo/catalogue.yaml');
let zerorate: Zerorate;

beforeAll(async () => {
  zerorate = await Zerorate.build();
});
afterAll(() => zerorate?.remove());

const run = (source: string, store: string) =>
  zerorate.run(['run', '--catalogue', CATALOGUE, '--source', source, '--store', store]);

describe.each(['ndjson', 'csv', 'avro', 'ndjson.gz'])('generated records as %s', (ending) => {
  test('every record is accounted for, in all and in each batch, and octets conserve', async () => {
    const file = `flows.${ending}`;
    const shares = ['--malformed', '0.01', '--duplicate', '0.01', '--conflicting', '0.002', '--late', '0.01'];
    const generated = await zerorate.run(['generate', '--out', file, '--records', '30000', '--seed', '11', ...shares]);
    expect(generated).toMatchObject({ code: 0 });
    const made = (word: string) =>
      Number(new RegExp(`([\\d ]+) ${word}`).exec(generated.stdout)?.[1].replaceAll(' ', ''));
    expect(await run(file, ending)).toMatchObject({ code: 0 });

    const [batches] = await zerorate.rows<Record<string, number>>(
      'SELECT sum(records_read) AS read, sum(records_duplicate) AS duplicate, sum(records_rejected) AS rejected, ' +
        'countIf(records_read != records_charged + records_not_sponsored + records_duplicate + records_rejected) AS wrong FROM batches',
      ending,
    );
    const rejected = made('malformed') + made('conflicting');
    expect(batches).toEqual({ read: 30000, duplicate: made('duplicates'), rejected, wrong: 0 });
    const [octets] = await zerorate.rows<Record<string, number>>(
      'SELECT countIf(sponsored_octets + subscriber_octets != uplink_octets + downlink_octets) AS wrong, ' +
        'sum(uplink_octets + downlink_octets) - (SELECT sum(octets_charged) FROM batches) AS missing FROM charges',
      ending,
    );
    expect(octets).toEqual({ wrong: 0, missing: 0 });
    const reasons = await zerorate.rows<{ reason: string }>('SELECT DISTINCT reason FROM rejections', ending);
    const known = new Set<string>([...MALFORMATIONS.map(({ reason }) => reason), 'conflicting_duplicate']);
    for (const { reason } of reasons) expect(known).toContain(reason);
  });
});

test('no MSISDN and no IMSI of the source is in the store, in the quota updates or in the logs', async () => {
  const records = readFileSync(zerorate.path('flows.ndjson'), 'utf8');
  const identities = new Set([...records.matchAll(/"served(?:Msisdn|Imsi)":"(\d+)"/g)].map(([, digits]) => digits));
  const { stderr, stdout } = await zerorate.run(
    ['run', '--catalogue', CATALOGUE, '--source', 'flows.ndjson', '--store', 'logged'],
    {
      env: { ZERORATE_LOG_LEVEL: 'trace' },
    },
  );
  const updates = readFileSync(zerorate.path('logged/quota-updates.ndjson'), 'utf8');
  const dump = await zerorate.run(['query', 'SELECT * FROM journal', '--store', 'logged', '--format', 'JSONEachRow']);
  expect(identities.size).toBeGreaterThan(1000);
  for (const text of [stderr, stdout, updates, dump.stdout]) {
    for (const [digits] of text.matchAll(/\d{12,15}/g)) expect(identities).not.toContain(digits);
  }
  expect(updates).toContain('"remainingOctets"');
});

test('gaps lists the sequence numbers that are missing in the source, and estimates what they held', async () => {
  const args = [
    'generate',
    '--out',
    'gaps.ndjson',
    '--records',
    '5000',
    '--seed',
    '23',
    '--gaps',
    '0.004',
    '--duplicate',
    '0.01',
  ];
  expect(await zerorate.run(args)).toMatchObject({ code: 0 });
  expect(await run('gaps.ndjson', 'gaps')).toMatchObject({ code: 0 });
  const nodes = new Map<string, Set<number>>();
  for (const line of readFileSync(zerorate.path('gaps.ndjson'), 'utf8').trim().split('\n')) {
    const { nodeId, localSequenceNumber } = JSON.parse(line);
    nodes.set(nodeId, (nodes.get(nodeId) ?? new Set()).add(localSequenceNumber));
  }
  const expected = [...nodes].flatMap(([node, arrived]) =>
    [...arrived]
      .sort((a, b) => a - b)
      .flatMap((sequence, at, all) =>
        at > 0 && sequence > all[at - 1] + 1 ? [`${node} ${all[at - 1] + 1}-${sequence - 1}`] : [],
      ),
  );
  const { stdout } = await zerorate.run(['gaps', '--store', 'gaps', '--format', 'JSONEachRow']);
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const listed = rows.map(({ node_id, first_missing, last_missing }) => `${node_id} ${first_missing}-${last_missing}`);
  expect(expected.length).toBeGreaterThan(5);
  expect(listed.sort()).toEqual(expected.sort());
  expect(rows.every((row) => row.charged_octets_at_risk > 0 && row.charge_micros_at_risk.USD > 0)).toBe(true);
});

test('audit says that the journal holds', async () => {
  const { code, stdout } = await zerorate.run(['audit', '--store', 'ndjson']);
  expect(stdout).not.toContain('BROKEN');
  expect(stdout).toMatch(/holds {3}chain/);
  expect(code).toBe(0);
});

test('subscriber prints the pseudonym that the journal uses', async () => {
  const { servedMsisdn } = JSON.parse(readFileSync(zerorate.path('flows.ndjson'), 'utf8').split('\n')[0]);
  const { stdout } = await zerorate.run(['subscriber', servedMsisdn, '--store', 'ndjson']);
  const [{ n }] = await zerorate.rows<{ n: number }>(
    `SELECT count() AS n FROM charges WHERE subscriber = '${stdout.trim()}'`,
    'ndjson',
  );
  expect(n).toBeGreaterThan(0);
});

test('explain says every step and books nothing', async () => {
  const [first] = readFileSync(zerorate.path('flows.ndjson'), 'utf8').split('\n');
  const { stdout, code } = await zerorate.run(['explain', '-', '--catalogue', CATALOGUE, '--store', 'ndjson'], {
    input: first,
  });
  expect(code).toBe(0);
  expect(stdout.split('\n').map((line) => line.split(' ')[0])).toEqual(
    expect.arrayContaining(['decode', 'evidence', 'journal', 'outcome']),
  );
  expect(stdout).toMatch(
    /journal +booked already at flows\.ndjson.*with the same content; quota and price above are those that the record would get if it were not booked yet\noutcome +duplicate \(an identity/,
  );
  const other = JSON.stringify({ ...JSON.parse(first), uplinkOctets: 1 });
  const explained = await zerorate.run(['explain', other, '--catalogue', CATALOGUE, '--store', 'ndjson']);
  expect(explained.stdout).toMatch(/with other content; .+\noutcome +rejected: conflicting_duplicate/);
  const fresh = JSON.stringify({ ...JSON.parse(first), nodeId: 'never-seen' });
  const unknown = await zerorate.run(['explain', fresh, '--catalogue', CATALOGUE, '--store', 'ndjson']);
  expect(unknown.stdout).not.toContain('journal');
  const [{ read }] = await zerorate.rows<{ read: number }>('SELECT sum(records_read) AS read FROM batches', 'ndjson');
  expect(read).toBe(30000);
});

describe('query can change nothing and reach no file', () => {
  test.each<[string, RegExp]>([
    ['TRUNCATE TABLE journal', /READONLY/],
    [
      "INSERT INTO FUNCTION file('@key', LineAsString, 'a String') SELECT 'x' SETTINGS engine_file_truncate_on_insert = 1",
      /READONLY/,
    ],
    ["SELECT 1 INTO OUTFILE '@key' TRUNCATE", /INTO OUTFILE is not allowed/],
    ["SELECT * FROM file('@key', LineAsString)", /file\(\) reaches beyond the store/],
    ["SELECT * FROM url('http://127.0.0.1:9/', LineAsString)", /url\(\) reaches beyond the store/],
    ["SELECT * FROM executable('cat', LineAsString, 'a String')", /executable\(\) reaches beyond the store/],
    ['SELECT 1 SETTINGS readonly = 0', /Setting readonly should not be changed/],
    ['SELECT 1; SELECT 2', /SYNTAX_ERROR/],
  ])('%s', async (sql, reason) => {
    const key = zerorate.path('ndjson/development-pseudonym.key');
    const before = readFileSync(key, 'utf8');
    const asked = await zerorate.run(['query', sql.replaceAll('@key', key), '--store', 'ndjson']);
    expect(asked).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(reason) });
    expect(asked.stderr).toMatch(/\[store_refused\]\n$/);
    expect(asked.stderr).not.toContain(before.trim());
    expect(readFileSync(key, 'utf8')).toBe(before);
  });

  test('what it prints is in the format that the statement or the option names', async () => {
    const rows = 'SELECT number FROM numbers(2)';
    const named = await zerorate.run(['query', `${rows} FORMAT CSVWithNames`, '--store', 'ndjson']);
    const asked = await zerorate.run(['query', `${rows};`, '--store', 'ndjson', '--format', 'JSONEachRow']);
    expect([named.stdout, asked.stdout]).toEqual(['"number"\n0\n1\n', '{"number":0}\n{"number":1}\n']);
  });
});

describe('bad input is refused with a clear line and exit code 2, and nothing is started', () => {
  test.each<[string, () => string[], RegExp]>([
    ['a bad catalogue', () => ['check', '--catalogue', 'bad.yaml'], /^bad\.yaml:\d+: sponsors\[0\]\.currency: .+$/m],
    [
      'a bad catalogue in a run',
      () => ['run', '--catalogue', 'bad.yaml', '--source', 'flows.ndjson', '--store', 'never'],
      /bad\.yaml:\d+:/,
    ],
    ['no catalogue there', () => ['check', '--catalogue', 'nowhere.yaml'], /nowhere\.yaml: no such catalogue/],
    [
      'no source there',
      () => ['run', '--catalogue', CATALOGUE, '--source', 'nowhere.csv', '--store', 'never'],
      /nowhere\.csv/,
    ],
    [
      'a source of unknown kind',
      () => ['run', '--catalogue', CATALOGUE, '--source', 'bad.yaml', '--store', 'never'],
      /bad\.yaml/,
    ],
    ['no store named', () => ['query', 'SELECT 1'], /--store/],
    ['no store there', () => ['query', 'SELECT 1', '--store', 'never'], /never: no store is there/],
    ['an MSISDN that is none', () => ['subscriber', '+49 170', '--store', 'ndjson'], /1 to 15 digits/],
    ['an option that is not there', () => ['audit', '--story', 'ndjson'], /unknown option '--story'/],
    ['a bad configuration', () => ['check', '--config', 'bad-config.yaml'], /^bad-config\.yaml:\d+: /m],
  ])('%s', async (_, args, line) => {
    await writeFile(
      zerorate.path('bad.yaml'),
      readFileSync(CATALOGUE, 'utf8').replace('currency: USD', 'currency: USX'),
    );
    await writeFile(
      zerorate.path('bad-config.yaml'),
      'catalogue: bad.yaml\nsource: { files: [x] }\nstores: { dir: D }\n',
    );
    const { code, stderr } = await zerorate.run(args());
    expect(stderr).toMatch(line);
    expect(code).toBe(2);
    expect((await zerorate.run(['query', 'SELECT 1', '--store', 'never'])).stderr).toContain('no store is there');
  });
});

test('a store that is in use says so, and keeps what its holder has staged', async () => {
  const staged = zerorate.path('ndjson/staging/0.native');
  const holder = spawn(
    process.execPath,
    [await builtModule('development/servers/clickhouse-http-main.js'), zerorate.path('ndjson/clickhouse')],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  try {
    await once(holder.stdout, 'data');
    await writeFile(staged, 'a block');
    const { code, stderr } = await run('flows.ndjson', 'ndjson');
    // One line, and none of ClickHouse's above it.
    expect(stderr).toMatch(
      new RegExp(`^\\S+: the store is in use by another process \\(process ${holder.pid}\\); .+\\n$`),
    );
    const asked = await zerorate.run(['query', 'SELECT 1', '--store', 'ndjson']);
    expect(asked.stderr).toBe(stderr);
    expect(code).toBe(1);
    expect(readFileSync(staged, 'utf8')).toBe('a block');
  } finally {
    holder.kill();
    await once(holder, 'exit');
  }
});
