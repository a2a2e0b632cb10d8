import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testRecord } from '../../src/rating/traffic.fixture.ts';
import { Zerorate } from './zerorate.fixture.ts';

const CATALOGUE = `network: { homePlmns: ["26201"] }
sponsors: [{ id: acme, name: Acme, currency: EUR, creditLimit: "100000" }]
applications: [{ id: chat, sponsor: acme, tags: [CHAT] }]
plans:
  - { id: p, application: chat, version: 1, effectiveFrom: 2026-01-01T00:00:00Z, effectiveTo: null, timeZone: UTC, period: month,
      content: { unknown: 10000 }, conditions: { roaming: home }, quotaOctets: null, tiers: [{ upToOctets: null, pricePerMiB: "4" }] }
`;
const STORE = ['--catalogue', 'c.yaml', '--store', 'store'];
const RERATE = ['rerate', '--sponsor', 'acme', '--from', '2026-11-01', '--to', '2026-12-01', ...STORE];
const BALANCE = 'SELECT toString(balance_micros) AS micros FROM account_balances';
let zerorate: Zerorate;

beforeAll(async () => {
  zerorate = await Zerorate.build();
});
afterAll(() => zerorate?.remove());

function recordOf(number: number, servingPlmn: string) {
  const startTime = Date.UTC(2026, 10, 1 + number);
  const fields = { localSequenceNumber: number, zeroRatingTag: 'CHAT', contentType: null, servingPlmn };
  return { ...testRecord({ startTime, endTime: startTime, ...fields }), uplinkOctets: 0, downlinkOctets: 2 ** 20 };
}

test('recycled records under a plan with conditions are not rated again without them', async () => {
  writeFileSync(zerorate.path('c.yaml'), CATALOGUE);
  const lines = [recordOf(1, '26201'), recordOf(2, '2620x')].map((record) => JSON.stringify(record));
  writeFileSync(zerorate.path('a.ndjson'), `${lines.join('\n')}\n`);
  expect((await zerorate.run(['run', ...STORE, '--source', 'a.ndjson'])).code).toBe(0);
  const fixed = { topic: 'a.ndjson', partition: 0, offset: 1, record: recordOf(2, '26201') };
  const [rejected] = await zerorate.rows<{ topic: string }>(
    "SELECT topic FROM journal WHERE kind = 'rejection'",
    'store',
  );
  writeFileSync(zerorate.path('fixed.ndjson'), `${JSON.stringify({ ...fixed, topic: rejected.topic })}\n`);
  const recycled = await zerorate.run([
    'rejections',
    'recycle',
    'fixed.ndjson',
    '--who',
    'ada',
    '--why',
    'a digit',
    ...STORE,
  ]);
  expect(recycled).toMatchObject({ code: 0 });
  const balance = await zerorate.rows(BALANCE, 'store');

  const again = await zerorate.run([...RERATE, '--source', 'a.ndjson']);
  expect(again).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/recycled\/1\S* has recycled records.*roaming.*rejections reverse/s),
  });
  const reversal = ['1', '--name', 'back', '--who', 'ada', '--why', 'to rate again', '--store', 'store'];
  const reversed = await zerorate.run(['rejections', 'reverse', ...reversal]);
  expect(reversed).toMatchObject({ code: 0 });
  expect(await zerorate.run([...RERATE, '--source', 'a.ndjson'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('nothing was booked'),
  });
  // The identity of a reversed recycling stays taken.
  writeFileSync(
    zerorate.path('again.ndjson'),
    `${JSON.stringify({ ...fixed, topic: rejected.topic, record: recordOf(3, '26201') })}\n`,
  );
  expect(
    (await zerorate.run(['rejections', 'recycle', 'again.ndjson', '--who', 'ada', '--why', 'again', ...STORE])).code,
  ).toBe(0);
  expect(await zerorate.rows(BALANCE, 'store')).toEqual(balance);
});
