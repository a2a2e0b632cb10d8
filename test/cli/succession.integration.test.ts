import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testRecord } from '../../src/rating/traffic.fixture.ts';
import { Zerorate } from './zerorate.fixture.ts';

const TEBIOCTETS = 2 ** 43;
let zerorate: Zerorate;
beforeAll(async () => {
  zerorate = await Zerorate.build();
});
afterAll(() => zerorate?.remove());

interface Changed {
  period?: string;
  groupPeriod?: string;
  planId?: string;
  groupId?: string;
  campaign?: string;
  timeZone?: string;
}

function catalogue({
  period = 'month',
  groupPeriod = 'month',
  planId = 'p',
  groupId = 'g',
  campaign = '',
  timeZone = 'UTC',
}: Changed) {
  const always = `version: 1, effectiveFrom: 2026-01-01T00:00:00Z, effectiveTo: null, timeZone: ${timeZone}`;
  return `sponsors: [{ id: acme, name: Acme, currency: EUR, creditLimit: "100000000" }]
applications: [{ id: chat, sponsor: acme, tags: [CHAT] }]
plans:
  - { id: ${planId}, application: chat, ${always}, period: ${period}, content: { unknown: 10000 }, quotaOctets: null,
      tiers: [{ upToOctets: null, pricePerMiB: "4" }]${campaign} }
quotas: [{ id: ${groupId}, sponsor: acme, ${always}, period: ${groupPeriod}, quotaOctets: 900000000000000, plans: [${planId}] }]
`;
}

/** Runs an engine over one record with a catalogue, in a store. */
function run(store: string, number: number, changed: Changed) {
  const startTime = Date.UTC(2026, 10, 1 + number);
  const record = testRecord({
    localSequenceNumber: number,
    zeroRatingTag: 'CHAT',
    remoteIp: '8.8.8.8',
    startTime,
    endTime: startTime,
  });
  const [file, draft] = [`${store}-${number}.ndjson`, `${store}-${number}.yaml`];
  writeFileSync(zerorate.path(file), `${JSON.stringify({ ...record, downlinkOctets: TEBIOCTETS })}\n`);
  writeFileSync(zerorate.path(draft), catalogue(changed));
  return zerorate.run(['run', '--catalogue', draft, '--source', file, '--store', store]);
}

test('a run refuses a catalogue under which a counter of the store would count otherwise', async () => {
  expect((await run('store', 1, {})).code).toBe(0);
  const refused: [Changed, RegExp][] = [
    [{ period: 'day' }, /day differs from month, which plan p has counted by until now/],
    [{ groupPeriod: 'day' }, /day differs from month, which quota g has counted by until now/],
    [{ planId: 'g', groupId: 'h' }, /g was the id of a quota over several plans until now/],
    [{ planId: 'q', groupId: 'p' }, /p was the id of a plan until now/],
  ];
  for (const [changed, message] of refused) {
    expect(await run('store', 2, changed)).toMatchObject({ code: 2, stderr: expect.stringMatching(message) });
  }
  expect((await run('store', 2, { planId: 'q', groupId: 'h', period: 'day' })).code).toBe(0);
  expect((await run('store', 3, { timeZone: 'utc' })).code).toBe(0);
  const charged = await zerorate.rows(
    'SELECT plan_id, toUInt32(count()) AS records FROM charges GROUP BY ALL ORDER BY ALL',
    'store',
  );
  expect(charged).toEqual([
    { plan_id: 'p', records: 2 },
    { plan_id: 'q', records: 1 },
  ]);
});

// ClickHouse takes names of zones in the case of the database only; a catalogue may have them in any.
test('a campaign counts and is audited whatever the size of its cap in money, and the case of its zone', async () => {
  const campaign =
    ',\n      campaign: { payment: postpaid, audience: everyone, caps: [{ per: day, money: "20000000" }] }';
  expect((await run('capped', 1, { campaign, timeZone: 'europe/berlin' })).code).toBe(0);
  await zerorate.run(['campaign', 'watch', '--once', '--catalogue', 'capped-1.yaml', '--store', 'capped']);
  expect(await zerorate.rows('SELECT toString(kind) AS kind FROM campaign_facts', 'capped')).toEqual([
    { kind: 'cap_reached' },
  ]);
  const audit = await zerorate.run(['audit', '--store', 'capped', '--source', 'capped-1.ndjson']);
  expect(audit).toMatchObject({ code: 0, stdout: expect.stringMatching(/holds {3}campaigns/) });
});
