import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { caseFlows } from './case-flow.fixture.ts';
import { Zerorate } from './zerorate.fixture.ts';

const CATALOGUE = packagePath('fixtures/cases/catalogue.yaml');
const DEMO = packagePath('fixtures/demo/catalogue.yaml');

let zerorate: Zerorate;
beforeAll(async () => {
  zerorate = await Zerorate.build();
});
afterAll(() => zerorate?.remove());

interface BatchRow {
  topic: string;
  read: number;
  charged: number;
  duplicates: number;
}

/** Runs with a window of duplicates that the ten records of `other.ndjson` pass. */
class SmallWindow {
  readonly #store: string;

  constructor(store: string, catalogue = CATALOGUE) {
    this.#store = store;
    put('other.ndjson', caseFlows(...Array.from({ length: 10 }, (_, number) => 100 + number)));
    const config = [
      'source: { files: [flows.ndjson] }',
      `store: { dir: ${store} }`,
      'duplicates: { windowRecords: 5 }',
    ];
    put(`${store}.yaml`, [`catalogue: ${catalogue}`, ...config, ''].join('\n'));
  }

  async run(name: string, ...options: string[]): Promise<string> {
    const { code, stderr } = await this.command('run', '--source', name, ...options);
    expect([code, stderr]).toEqual([0, expect.anything()]);
    return stderr;
  }

  command(command: string, ...options: string[]) {
    return zerorate.run([command, '--config', `${this.#store}.yaml`, ...options]);
  }

  async batches(): Promise<BatchRow[]> {
    const rows = await zerorate.rows<Record<keyof BatchRow, string | number>>(
      "SELECT replaceRegexpOne(topic, '~[0-9a-f]{8}', '') AS topic, records_read AS read, records_charged AS charged, " +
        "records_duplicate AS duplicates FROM batches WHERE topic NOT LIKE 'other%' ORDER BY lane_sequence",
      this.#store,
    );
    return rows.map(({ topic, ...counts }) => ({
      topic: String(topic),
      read: Number(counts.read),
      charged: Number(counts.charged),
      duplicates: Number(counts.duplicates),
    }));
  }
}

const put = (name: string, content: string | Uint8Array) => writeFileSync(zerorate.path(name), content);

test('records of a rewritten file are charged once, however long ago they were booked, and audit and replay say the same', async () => {
  const small = new SmallWindow('generations');
  put('flows.ndjson', caseFlows(1, 2, 3));
  await small.run('flows.ndjson');
  await small.run('other.ndjson');
  put('flows.ndjson', caseFlows(1, 2, 9, 3));
  await small.run('flows.ndjson', '--rewritten');
  put('other.ndjson', caseFlows(...Array.from({ length: 20 }, (_, number) => 100 + number)));
  await small.run('other.ndjson');
  // Its first record is another one, too: by that alone it would be another file.
  put('flows.ndjson', caseFlows(10, 3, 9, 1, 2));
  await small.run('flows.ndjson', '--rewritten');
  expect(await small.batches()).toEqual([
    { topic: 'flows.ndjson', read: 3, charged: 3, duplicates: 0 },
    { topic: 'flows.ndjson~2', read: 4, charged: 1, duplicates: 3 },
    { topic: 'flows.ndjson~3', read: 5, charged: 1, duplicates: 4 },
  ]);

  const source = ['--source', 'flows.ndjson', 'other.ndjson'];
  const audit = await small.command('audit', ...source, '--against-source');
  expect([audit.code, audit.stdout + audit.stderr]).toEqual([0, expect.stringContaining('3 computed')]);
  const replay = await small.command('replay', ...source, '--verify');
  expect([replay.code, replay.stdout + replay.stderr]).toEqual([0, expect.anything()]);
});

test('a generation that continues is booked from where it was, and another log of that name is none of its own records', async () => {
  const small = new SmallWindow('grown');
  put('flows.ndjson', caseFlows(1, 2));
  await small.run('flows.ndjson');
  put('flows.ndjson', caseFlows(1, 4));
  await small.run('flows.ndjson', '--rewritten');
  await small.run('other.ndjson');
  put('flows.ndjson', caseFlows(1, 4, 2, 5));
  // Nothing of what is booked has changed: the flag is not needed.
  await small.run('flows.ndjson');
  expect((await small.batches()).slice(1)).toEqual([
    { topic: 'flows.ndjson~2', read: 2, charged: 1, duplicates: 1 },
    { topic: 'flows.ndjson~2', read: 2, charged: 1, duplicates: 1 },
  ]);
});

test('an Avro container that is written again has another sync marker, and is the next generation all the same', async () => {
  const small = new SmallWindow('containers', DEMO);
  const args = ['--out', 'flows.avro', '--records', '40', '--seed', '1'];
  expect(await zerorate.run(['generate', ...args])).toMatchObject({ code: 0 });
  await small.run('flows.avro');
  await small.run('other.ndjson');
  const [{ charged }] = await small.batches();
  // The marker ends the file, as it ends every block.
  const octets = readFileSync(zerorate.path('flows.avro'));
  const marker = Buffer.from(octets.subarray(-16));
  for (let at = octets.indexOf(marker); at !== -1; at = octets.indexOf(marker))
    octets.fill('another marker..', at, at + 16);
  put('flows.avro', octets);
  await small.run('flows.avro', '--rewritten');
  const rows = await small.batches();
  const sum = (key: 'charged' | 'duplicates') => rows.reduce((total, row) => total + row[key], 0);
  expect(charged).toBeGreaterThan(0);
  expect(rows.at(-1)?.topic).toBe('flows.avro~2');
  expect(sum('charged')).toBe(charged);
});

test('without the flag, a file of a booked name that begins otherwise is warned of', async () => {
  const small = new SmallWindow('warned');
  put('flows.ndjson', caseFlows(1, 2, 3));
  expect(await small.run('flows.ndjson')).not.toContain('begins otherwise');
  put('flows.ndjson', caseFlows(3, 2, 1));
  expect(await small.run('flows.ndjson')).toMatch(/flows\.ndjson: begins otherwise than .*--rewritten/);
  expect(await small.run('flows.ndjson')).not.toContain('begins otherwise');
});
