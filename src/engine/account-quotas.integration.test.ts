import { afterAll, beforeAll, expect, test } from 'vitest';
import { auditJournal } from '../assurance/audit/audit.ts';
import { auditAccounts } from '../assurance/audit/audit-accounts.ts';
import { auditQuotas } from '../assurance/audit/audit-quotas.ts';
import { auditSource } from '../assurance/audit/audit-source.ts';
import { replayBatches } from '../assurance/replay/replay.ts';
import { rerate } from '../finance/corrections/rerate.ts';
import { whatIf } from '../finance/corrections/what-if.ts';
import { Random } from '../generator/random.ts';
import { parseCatalogue } from '../rating/catalogue/catalogue-compile.ts';
import type { QuotaUpdate } from '../rating/quota-updates.ts';
import { PLAIN_RULES } from '../rating/record/record-limits.ts';
import { Rules } from '../rating/rules.ts';
import type { PseudonymKey } from '../rating/subscribers.ts';
import { TEST_CATALOGUE, testRecord } from '../rating/traffic.fixture.ts';
import { PSEUDONYM_KEY, rawRecords } from './engine.fixture.ts';
import { bookRestartedAndWhole, listed } from './restarted-engine.fixture.ts';

const QUOTAS = `quotas:
  - id: acme-home
    sponsor: acme
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: UTC
    per: account
    quotaOctets: 40000
    plans: [any-day, tagged-week]
`;
const { catalogue } = parseCatalogue(`${TEST_CATALOGUE}${QUOTAS}`, 'catalogue.yaml');
const RECORDS = 60;
const BATCH_RECORDS = 6;
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
process.stdout.write(`account quotas: seed ${seed}\n`);
const flows = traffic(new Random(seed));
const records = rawRecords(flows, Date.UTC(2026, 10, 30));

/** Records of two accounts of two SIMs each and of two SIMs without one, over a month, some of which come late. */
function traffic(random: Random) {
  return Array.from({ length: RECORDS }, (_, localSequenceNumber) => {
    const startTime = Date.UTC(2026, 9, 20 + Math.floor(localSequenceNumber / 3) - random.pick([0, 0, 1, 5]), 12);
    const sim = random.integer(1, 6);
    return testRecord({
      localSequenceNumber,
      servedMsisdn: `99900000000${sim}`,
      accountId: sim <= 4 ? `B-${Math.ceil(sim / 2)}` : null,
      startTime,
      endTime: startTime + 1000,
      ...random.pick([{ remoteIp: '198.51.100.7' }, { remoteIp: '8.8.8.8', zeroRatingTag: 'TAG' }]),
      contentType: random.pick([null, 'text', 'image']),
      downlinkOctets: random.integer(0, 9000),
    });
  });
}

type Booked = Awaited<ReturnType<typeof bookRestartedAndWhole>>;
let { opened, evidence, publishers, walk } = {} as Booked;

beforeAll(async () => {
  ({ opened, evidence, publishers, walk } = await bookRestartedAndWhole(catalogue, records, BATCH_RECORDS));
}, 120_000);
afterAll(() => opened?.close());

const settings = (pseudonymKey: PseudonymKey) => ({
  pseudonymKey,
  duplicateWindowRecords: 1000,
  rejectionPayloadBytes: 4096,
  recordRules: PLAIN_RULES,
});

test('an engine that restarts at every batch counts accounts as one that never does', async () => {
  const rowsOf = (topic: string) =>
    opened.store.query(
      'SELECT offset, reason, sponsored_octets, charge_micros, used_octets_after, carry_after FROM journal ' +
        `WHERE kind = 'charge' AND topic = '${topic}' ORDER BY offset`,
    );
  expect(await rowsOf('restarted')).toEqual(await rowsOf('whole'));
  const counters = (topic: string) =>
    opened.store.query<{ who: string; used: number }>(
      'SELECT lower(hex(subscriber)) AS who, quota_id, toUInt16(period_start) AS start, max(used_octets_after) AS used ' +
        `FROM further_quota_counters WHERE topic = '${topic}' GROUP BY who, quota_id, start ORDER BY ALL`,
    );
  const whole = await counters('whole');
  expect(await counters('restarted')).toEqual(whole);
  const holders = new Set(whole.map(({ who }) => who));
  for (const accountId of ['B-1', 'B-2']) {
    expect(holders).toContain(PSEUDONYM_KEY.pseudonymOfAccount(accountId).toString('hex'));
  }
  for (const { accountId, servedMsisdn } of flows) {
    const subscriber = PSEUDONYM_KEY.pseudonymOf(servedMsisdn).toString('hex');
    if (accountId !== null) expect(holders).not.toContain(subscriber);
  }
});

test.each<[string, PseudonymKey]>([
  ['as booked', PSEUDONYM_KEY],
  ['after an account was erased', PSEUDONYM_KEY.accountErased('B-1', Buffer.alloc(32, 9))],
  [
    'after an account and a SIM of it were erased',
    PSEUDONYM_KEY.erased('999000000001', Buffer.alloc(32, 9)).accountErased('B-1', Buffer.alloc(32, 9)),
  ],
])('the audit, the second computation and every replay agree with the journal, %s', async (_, key) => {
  expect(await listed(auditJournal(evidence))).toEqual([]);
  expect(await listed(auditSource(evidence, walk(), settings(key)))).toEqual([]);
  const replayed = await listed(replayBatches(evidence, walk(), settings(key)));
  expect(replayed).toHaveLength((2 * RECORDS) / BATCH_RECORDS);
  for (const { batch, digest } of replayed) expect(digest).toBe(batch.digest);
});

test('a consumer of the quota updates has what the journal has of accounts', async () => {
  const newest = new Map<string, QuotaUpdate>();
  for (const update of publishers.whole.published) newest.set(`${update.subscriber}|${update.planId}`, update);
  const all = new Map([...newest].filter(([, { planId }]) => planId === 'acme-home:account'));
  expect(all.size).toBeGreaterThan(2);
  const faults = await listed(auditQuotas(evidence, all, [catalogue?.canonicalJson ?? '']));
  expect(faults.filter(({ message }) => message.includes('acme-home'))).toEqual([]);
});

test('accounts that were counted in two lanes are named, with the period and the lanes', async () => {
  const split = await listed(auditAccounts(evidence));
  const named = split.filter(({ message }) =>
    message.includes(PSEUDONYM_KEY.pseudonymOfAccount('B-1').toString('hex')),
  );
  expect(named.map(({ invariant }) => invariant)).toContain('accounts');
  for (const { message } of named) {
    expect(message).toMatch(
      /^acme-home:account of [0-9a-f]{32} since 2026-1[01]-01 was counted in 2 lanes, each by itself: restarted-0, whole-0; key the topic by accountId$/,
    );
  }
});

test('charge rows do not keep accounts: a re-rating of them is refused, and says what to do', async () => {
  if (catalogue === undefined) throw new Error('the catalogue is bad');
  const range = { fromDay: 0, toDay: 65_535 };
  const rules = new Rules(catalogue);
  const why = /quota acme-home counts plan any-day of application any by account.*rerate --from-source/;
  await expect(rerate(opened.store, rules, { sponsorId: 'acme', range })).rejects.toThrow(why);
  const { refused, lines } = await whatIf(opened.store, rules, { sponsorId: null, range });
  expect(refused).toMatchObject([
    { applicationId: 'any', reason: expect.stringMatching(why) },
    { applicationId: 'tagged' },
  ]);
  expect(lines.filter(({ planId }) => ['any-day', 'tagged-week'].includes(planId))).toEqual([]);
  const ended = QUOTAS.replace('effectiveTo: null', 'effectiveTo: 2026-06-01T00:00:00Z');
  const { catalogue: before } = parseCatalogue(`${TEST_CATALOGUE}${ended}`, 'catalogue.yaml');
  if (before === undefined) throw new Error('the catalogue is bad');
  const october = { fromDay: Date.UTC(2026, 9) / 86_400_000, toDay: 65_535 };
  await rerate(opened.store, new Rules(before), { sponsorId: 'acme', range: october });
  // Bolt's plans are in no quota by account.
  await rerate(opened.store, rules, { sponsorId: 'bolt', range });
});
