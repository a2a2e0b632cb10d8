import { mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { Zerorate } from './zerorate.fixture.ts';

const CASES = packagePath('fixtures/cases/goflow2');
const COUNTS =
  'SELECT sum(records_charged) AS charged, sum(records_duplicate) AS duplicates, sum(records_rejected) AS rejected, ' +
  'sum(octets_charged) AS octets FROM batches';

let zerorate: Zerorate;
beforeAll(async () => {
  zerorate = await Zerorate.build();
});
afterAll(() => zerorate?.remove());

const files = (store: string, ...sources: string[]) => [
  ...['--catalogue', packagePath('fixtures/cases/catalogue.yaml'), '--source', ...sources],
  ...['--format', 'goflow2', '--terminals', `${CASES}/terminals.csv`, '--store', store],
];

async function run(store: string, ...sources: string[]) {
  expect(await zerorate.run(['run', ...files(store, ...sources)])).toMatchObject({ code: 0 });
  const [counts] = await zerorate.rows<object>(COUNTS, store);
  return counts;
}

/** A flow of an exporter whose address is the store's own. */
const flow = (fields: object) => ({
  type: 'IPFIX',
  time_received_ns: 1793000060000000000,
  sampler_address: '192.0.2.1',
  sequence_num: 0,
  sampling_rate: 0,
  time_flow_start_ns: 1793000000000000000,
  time_flow_end_ns: 1793000001000000000,
  bytes: 1048576,
  packets: 10,
  src_addr: '198.51.100.1',
  dst_addr: '10.0.0.1',
  proto: 'TCP',
  src_port: 443,
  dst_port: 1,
  ...fields,
});

function write(name: string, flows: readonly object[]): string {
  const path = zerorate.path(name);
  writeFileSync(path, `${flows.map((fields) => JSON.stringify(flow(fields))).join('\n')}\n`);
  return path;
}

const gapsOf = async (store: string) => {
  const { code, stdout } = await zerorate.run(['gaps', '--store', store, '--format', 'JSONEachRow']);
  expect(code).toBe(0);
  return stdout;
};

test('a repeated datagram is charged once, and the next one is charged', async () => {
  const mib = 1_048_576;
  expect(await run('copies', `${CASES}/duplicated-datagram.json`)).toEqual({
    charged: 4,
    duplicates: 2,
    rejected: 0,
    octets: 4 * mib,
  });
  // Received a second time, by another collector, into another file.
  const again = write('again.json', [
    { sequence_num: 100, dst_port: 1, observation_domain_id: 0, observation_point_id: 0, etype: 'IPv4' },
  ]);
  expect(await run('copies', again)).toEqual({ charged: 4, duplicates: 3, rejected: 0, octets: 4 * mib });
});

test('an exporter whose numbers do not count is charged by content and time, without gaps', async () => {
  await run('zeros', `${CASES}/sequence-zero-1.json`);
  expect(await run('zeros', `${CASES}/sequence-zero-2.json`)).toEqual({
    charged: 7,
    duplicates: 0,
    rejected: 0,
    octets: 3 * 1_048_576 + 1110,
  });
  expect(await gapsOf('zeros')).toBe('');
});

test('restarts, numbers that count templates and two exporters behind one address: all is charged, no gap is claimed', async () => {
  const numbers = [5000, 5003, 0, 2, 2 ** 32 - 1, 5000, 0, 5003];
  const mixed = write(
    'mixed.json',
    numbers.map((sequence_num, i) => ({ sequence_num, bytes: 1000 + i })),
  );
  expect(await run('mixed', mixed)).toEqual({ charged: 8, duplicates: 0, rejected: 0, octets: 8028 });
  expect(await gapsOf('mixed')).toBe('');
  expect(await zerorate.run(['audit', '--against-source', ...files('mixed', mixed).slice(2)])).toMatchObject({
    code: 0,
  });
});

test('an exporter that samples is never charged as exact, though it says so late, as text, or in another file', async () => {
  expect(await run('sampled', `${CASES}/sampling-late.json`)).toMatchObject({ charged: 0, duplicates: 0, rejected: 3 });
  mkdirSync(zerorate.path('late'));
  const sources = [
    write('late/1.json', [{ dst_port: 1 }, { sampler_address: '192.0.2.9' }]),
    write('late/2.json', [
      { dst_port: 2, sampling_rate: undefined },
      { dst_port: 3, sampling_rate: 512 },
    ]),
  ];
  expect(await run('late', ...sources)).toMatchObject({ charged: 1, rejected: 3 });
  const rejections = await zerorate.rows<{ detail: string }>(
    'SELECT detail FROM rejections ORDER BY topic, offset',
    'late',
  );
  expect(rejections.map(({ detail }) => detail)).toEqual([
    'sampling_rate is 0, but exporter 192.0.2.1 samples: other flows give its rate',
    'sampling_rate is missing: the flow may be a sample',
    'sampling_rate is 512: a sample is no measure of use',
  ]);
  expect(await zerorate.run(['audit', '--against-source', ...files('late', ...sources).slice(2)])).toMatchObject({
    code: 0,
  });
});

test('octets that are not counted and an address that changed hands before the export are reported', async () => {
  const terminals = zerorate.path('leases.csv');
  const lease = '10.0.0.1,2026-10-25T00:00:00Z,2026-10-26T07:33:00Z,999000000001';
  writeFileSync(terminals, `prefix,from,to,msisdn\n${lease}\n10.0.0.1,2026-10-26T07:33:10Z,,999000000002\n`);
  const exported = { time_flow_start_ns: 1793000020000000000, time_flow_end_ns: 1793000020000000000 };
  const source = write('exported.json', [{ bytes: 0 }, exported]);
  const args = ['run', ...files('reported', source)];
  args[args.indexOf('--terminals') + 1] = terminals;
  expect(await zerorate.run(args)).toMatchObject({ code: 0 });
  expect(await zerorate.rows('SELECT reason, detail FROM rejections ORDER BY offset', 'reported')).toEqual([
    {
      reason: 'invalid_field',
      detail: "bytes is 0 with 10 packets: the exporter's template has no octetDeltaCount",
    },
    {
      reason: 'missing_field',
      detail:
        'servedMsisdn is missing: the address changed hands within 1800000 ms before the export, and the flow has no other time',
    },
  ]);
});
