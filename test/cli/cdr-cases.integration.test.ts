import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { Zerorate } from './zerorate.fixture.ts';

const FOLDER = packagePath('fixtures/cases');
const CHARGES =
  'SELECT count() AS records, uniqExact(subscriber) AS subscribers, sum(uplink_octets + downlink_octets) AS octets FROM charges';

let zerorate: Zerorate;
beforeAll(async () => {
  zerorate = await Zerorate.build();
});
afterAll(() => zerorate?.remove());

async function booked(name: string, store: string, args: string[] = []) {
  const run = ['run', '--catalogue', `${FOLDER}/catalogue.yaml`, '--source', `${FOLDER}/cdr/${name}.cdr`];
  expect(await zerorate.run([...run, '--store', store, ...args])).toMatchObject({ code: 0 });
  const rejections = await zerorate.rows<{ reason: string }>('SELECT reason FROM rejections', store);
  return { charges: await zerorate.rows(CHARGES, store), rejections: rejections.map(({ reason }) => reason) };
}

test.each([
  ['total-volume-only', 1, 1_000_000_000, []],
  ['bare-tbcd', 1, 1 << 20, ['invalid_msisdn']],
  ['filler-00', 2, 2 << 20, []],
  ['header-5-octets-release-0', 2, 2 << 20, []],
])('%s: %i records are charged, for one subscriber', async (name, records, octets, rejections) => {
  expect(await booked(name, name)).toEqual({ charges: [{ records, subscribers: 1, octets }], rejections });
});

test('an IMSI without an MSISDN is charged by the table of subscribers', async () => {
  expect((await booked('imsi-only', 'imsi-none')).rejections).toEqual(['missing_field']);
  const subscribers = zerorate.path('subscribers.csv');
  writeFileSync(subscribers, 'imsi,from,to,msisdn\n001010000000001,2026-11-01T00:00:00Z,,999000000001\n');
  const { charges, rejections } = await booked('imsi-only', 'imsi-table', ['--subscribers', subscribers]);
  expect([charges, rejections]).toEqual([[{ records: 1, subscribers: 1, octets: 1 << 20 }], []]);
});

test('a container without times has those of its CDR: it is read, and names no application', async () => {
  expect((await booked('no-trigger-time', 'no-time')).rejections).toEqual([]);
  const outcomes = await zerorate.rows('SELECT reason, sum(octets) AS octets FROM outcomes GROUP BY ALL', 'no-time');
  expect(outcomes).toEqual([{ reason: 'no_evidence', octets: 1 << 20 }]);
});

test('check says how a file cuts its CDRs, where its headers say otherwise', async () => {
  const { code, stdout } = await zerorate.run(['check', '--source', `${FOLDER}/cdr/header-5-octets-release-0.cdr`]);
  expect([code, stdout]).toEqual([0, expect.stringContaining('CDR headers of 5 octets though their release says')]);
});
