import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { caseFlow, caseFlows } from './case-flow.fixture.ts';
import { Zerorate } from './zerorate.fixture.ts';

const CASES = packagePath('fixtures/cases');
const CATALOGUE = `${CASES}/catalogue.yaml`;
const DEMO = packagePath('fixtures/demo/catalogue.yaml');

let zerorate: Zerorate;
beforeAll(async () => {
  zerorate = await Zerorate.build();
});
afterAll(() => zerorate?.remove());

interface Booked {
  read: number;
  charged: number;
  duplicates: number;
}

const put = (name: string, content: string | Uint8Array) => writeFileSync(zerorate.path(name), content);
const run = (name: string, store: string, ...options: string[]) =>
  zerorate.run(['run', '--catalogue', CATALOGUE, '--source', name, '--store', store, ...options]);

async function booked(store: string): Promise<Booked> {
  const [sums] = await zerorate.rows<Record<keyof Booked, string | number>>(
    'SELECT sum(records_read) AS read, sum(records_charged) AS charged, sum(records_duplicate) AS duplicates FROM batches',
    store,
  );
  return { read: Number(sums.read), charged: Number(sums.charged), duplicates: Number(sums.duplicates) };
}

const csv = (...numbers: number[]) => {
  const rows = numbers.map((number) => JSON.parse(caseFlow(number)) as Record<string, unknown>);
  const columns = Object.keys(rows[0] ?? {});
  return [columns.join(','), ...rows.map((row) => columns.map((column) => row[column] ?? '').join(',')), ''].join('\n');
};

describe('a file whose booked part is not the same any more is refused, and nothing of it is read', () => {
  const text: [string, string, string, string][] = [
    ['rewritten with the same length', 'ndjson', caseFlows(1, 2, 3, 4), caseFlows(1, 2, 8, 4, 5)],
    ['with an insert in the middle', 'ndjson', caseFlows(1, 2, 3), caseFlows(1, 9, 2, 3, 4)],
    ['shorter than what is booked', 'ndjson', caseFlows(1, 2, 3), caseFlows(1, 2)],
    ['reordered', 'ndjson', caseFlows(1, 2, 3), caseFlows(1, 3, 2)],
    ['of CSV, rewritten', 'csv', csv(1, 2, 3), csv(1, 7, 3, 4)],
  ];
  test.each(text)('%s (%s)', async (name, ending, first, second) => {
    // Packed or not makes no difference: one of them is packed.
    const isPacked = name === 'reordered';
    const pack = (content: string) => (isPacked ? gzipSync(content) : content);
    const [file, store] = [isPacked ? `changed.${ending}.gz` : `changed.${ending}`, name.replaceAll(' ', '-')];
    put(file, pack(first));
    expect(await run(file, store)).toMatchObject({ code: 0 });
    const before = await booked(store);
    put(file, pack(second));
    const { code, stderr } = await run(file, store);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/is not as it was booked.*\[source_changed\]/)]);
    expect(stderr).not.toContain('    at ');
    expect(await booked(store)).toEqual(before);
    put(file, pack(first));
    expect(await run(file, store)).toMatchObject({ code: 0 });
    expect(await booked(store)).toEqual(before);
  });

  test('one that begins otherwise is another log, whose records are dropped as duplicates', async () => {
    put('header.csv', csv(1, 2));
    await run('header.csv', 'header');
    put('header.csv', csv(1, 2).replace('protocol', 'protocol '));
    expect(await run('header.csv', 'header')).toMatchObject({ code: 0 });
    expect(await booked('header')).toEqual({ read: 4, charged: 2, duplicates: 2 });
  });

  test.each(['ndjson', 'avro'])('in the shape of a user’s report, or another container (%s)', async (format) => {
    const file = `case.${format}`;
    if (format === 'ndjson') put(file, readFileSync(`${CASES}/rewritten/first.ndjson`));
    else await generate(file, 40, 1);
    expect(await run(file, `case-${format}`)).toMatchObject({ code: 0 });
    const before = await booked(`case-${format}`);
    if (format === 'ndjson') put(file, readFileSync(`${CASES}/rewritten/second.ndjson`));
    else {
      const octets = readFileSync(zerorate.path(file));
      octets[octets.length - 40] ^= 1;
      put(file, octets);
    }
    expect(await run(file, `case-${format}`)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('source_changed'),
    });
    expect(await booked(`case-${format}`)).toEqual(before);
  });

  test('the message names the first batch that differs', async () => {
    put('batches.ndjson', caseFlows(1, 2));
    await run('batches.ndjson', 'batches');
    put('batches.ndjson', caseFlows(1, 2, 3, 4));
    await run('batches.ndjson', 'batches');
    put('batches.ndjson', caseFlows(1, 2, 3, 9, 5));
    const { stderr } = await run('batches.ndjson', 'batches');
    expect(stderr).toContain('its records 2 to 3 are booked');
  });
});

describe('a file is recognised by its content', () => {
  test('under another name, packed, and grown: its records are booked once, whatever the window of duplicates is', async () => {
    const config = `catalogue: ${CATALOGUE}\nsource: { files: [day.ndjson] }\nstore: { dir: renamed }\nduplicates: { windowRecords: 1 }\n`;
    put('renamed.yaml', config);
    const runOf = (name: string) => zerorate.run(['run', '--config', 'renamed.yaml', '--source', name]);
    put('day.ndjson', caseFlows(1, 2, 3));
    expect(await runOf('day.ndjson')).toMatchObject({ code: 0 });
    put('copy.ndjson', caseFlows(1, 2, 3));
    const again = await runOf('copy.ndjson');
    expect(again).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/copy\.ndjson: what it begins with is booked already/),
    });
    put('packed.ndjson.gz', gzipSync(caseFlows(1, 2, 3, 4)));
    expect(await runOf('packed.ndjson.gz')).toMatchObject({ code: 0 });
    expect(await booked('renamed')).toEqual({ read: 4, charged: 4, duplicates: 0 });
    // The file that it was first read from continues from there, too.
    put('day.ndjson', caseFlows(1, 2, 3, 4, 5));
    expect(await runOf('day.ndjson')).toMatchObject({ code: 0 });
    expect(await booked('renamed')).toEqual({ read: 5, charged: 5, duplicates: 0 });
  });

  test('beside its own copy in one directory', async () => {
    put('twin-a.ndjson', caseFlows(1, 2));
    put('twin-b.ndjson', caseFlows(1, 2));
    const { code } = await zerorate.run([
      'run',
      '--catalogue',
      CATALOGUE,
      '--source',
      'twin-a.ndjson',
      'twin-b.ndjson',
      '--store',
      'twins',
    ]);
    expect([code, await booked('twins')]).toEqual([0, { read: 2, charged: 2, duplicates: 0 }]);
  });

  test('another file that begins with the same record is another file', async () => {
    put('one.ndjson', caseFlows(1, 2));
    put('other.ndjson', caseFlows(1, 3));
    await run('one.ndjson', 'begins');
    expect(await run('other.ndjson', 'begins')).toMatchObject({ code: 0 });
    expect(await booked('begins')).toEqual({ read: 4, charged: 3, duplicates: 1 });
  });
});

describe('what is not whole yet', () => {
  test('a line waits for its end: nothing of it is charged', async () => {
    put('growing.csv', readFileSync(`${CASES}/growing/cut.csv`));
    const cut = await run('growing.csv', 'growing');
    expect(cut).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/growing\.csv: ends with a last line without its line end.*--final/),
    });
    const octetsOf = () =>
      zerorate.rows('SELECT sum(uplink_octets + downlink_octets) AS octets FROM charges', 'growing');
    expect((await booked('growing')).charged).toBe(1);
    put('growing.csv', readFileSync(`${CASES}/growing/whole.csv`));
    expect(await run('growing.csv', 'growing')).toMatchObject({ code: 0 });
    expect(await booked('growing')).toMatchObject({ read: 2, charged: 2 });
    put('whole.csv', readFileSync(`${CASES}/growing/whole.csv`));
    await run('whole.csv', 'whole');
    expect(await octetsOf()).toEqual(
      await zerorate.rows('SELECT sum(uplink_octets + downlink_octets) AS octets FROM charges', 'whole'),
    );
  });

  test('with --final it is a record, and one that continues afterwards is refused', async () => {
    put('final.ndjson', caseFlows(1) + caseFlow(2));
    expect(await run('final.ndjson', 'final', '--final')).toMatchObject({ code: 0 });
    expect(await booked('final')).toMatchObject({ charged: 2 });
    // The line end alone changes nothing.
    put('final.ndjson', caseFlows(1, 2, 3));
    expect(await run('final.ndjson', 'final')).toMatchObject({ code: 0 });
    expect(await booked('final')).toMatchObject({ charged: 3 });
    put('goes-on.ndjson', `${caseFlows(1)}{"nodeId":"gw-1"`);
    await run('goes-on.ndjson', 'goes-on', '--final');
    put('goes-on.ndjson', `${caseFlows(1)}{"nodeId":"gw-1"}\n`);
    expect(await run('goes-on.ndjson', 'goes-on')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/record 1 is booked, and has grown since.*source_changed/),
    });
  });

  test('a block of an Avro container waits for its rest', async () => {
    await generate('whole.avro', 300, 3);
    const octets = readFileSync(zerorate.path('whole.avro'));
    put('cut.avro', octets.subarray(0, octets.length - 30));
    const cut = await zerorate.run(['run', '--catalogue', DEMO, '--source', 'cut.avro', '--store', 'cut-avro']);
    expect(cut).toMatchObject({ code: 0, stderr: expect.stringContaining('a last block that is not whole') });
    expect(await zerorate.rows('SELECT * FROM rejections', 'cut-avro')).toEqual([]);
    put('cut.avro', octets);
    expect(
      await zerorate.run(['run', '--catalogue', DEMO, '--source', 'cut.avro', '--store', 'cut-avro']),
    ).toMatchObject({ code: 0 });
    expect(await booked('cut-avro')).toMatchObject({ read: 300, duplicates: 0 });
  });

  test('gzip data that ends early is read as far as it is whole', async () => {
    const packed = gzipSync(caseFlows(...Array.from({ length: 400 }, (_, number) => number + 1)));
    put('cut.ndjson.gz', packed.subarray(0, packed.length - 60));
    expect(await run('cut.ndjson.gz', 'cut-gz')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('not read'),
    });
    put('cut.ndjson.gz', packed);
    expect(await run('cut.ndjson.gz', 'cut-gz')).toMatchObject({ code: 0 });
    expect(await booked('cut-gz')).toEqual({ read: 400, charged: 400, duplicates: 0 });
  });
});

describe('a file that its writer rewrites with all of its records (free5GC’s CHF)', () => {
  test('is refused with the remedy, and booked once for each container with it', async () => {
    put('chf.cdr', readFileSync(`${CASES}/rewritten/first.cdr`));
    expect(await run('chf.cdr', 'chf')).toMatchObject({ code: 0 });
    put('chf.cdr', readFileSync(`${CASES}/rewritten/second.cdr`));
    expect(await run('chf.cdr', 'chf')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/run with --rewritten/),
    });
    expect(await booked('chf')).toEqual({ read: 2, charged: 2, duplicates: 0 });
    expect(await run('chf.cdr', 'chf', '--rewritten')).toMatchObject({ code: 0 });
    expect(await booked('chf')).toEqual({ read: 5, charged: 3, duplicates: 2 });
    expect(await run('chf.cdr', 'chf', '--rewritten')).toMatchObject({ code: 0 });
    expect(await booked('chf')).toEqual({ read: 5, charged: 3, duplicates: 2 });
  });
});

test('an audit finds a renamed file by its content', async () => {
  put('first-name.ndjson', caseFlows(1, 2, 3));
  await run('first-name.ndjson', 'audited');
  put('second-name.ndjson', caseFlows(1, 2, 3, 4));
  await run('second-name.ndjson', 'audited');
  const args = ['--store', 'audited', '--source', 'second-name.ndjson'];
  const { code, stdout, stderr } = await zerorate.run(['audit', ...args, '--against-source']);
  expect([code, stderr]).toEqual([0, expect.anything()]);
  expect(stdout).not.toMatch(/BROKEN|unread/);
});

async function generate(file: string, records: number, seed: number): Promise<void> {
  const args = ['--out', file, '--records', String(records), '--seed', String(seed)];
  expect(await zerorate.run(['generate', ...args])).toMatchObject({ code: 0 });
}
