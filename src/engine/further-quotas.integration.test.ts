import { afterAll, beforeAll, expect, test } from 'vitest';
import { auditJournal } from '../assurance/audit/audit.ts';
import { auditQuotas } from '../assurance/audit/audit-quotas.ts';
import { auditSource } from '../assurance/audit/audit-source.ts';
import type { AuditFault } from '../assurance/audit/invariants.ts';
import { replayBatches } from '../assurance/replay/replay.ts';
import { rerate } from '../finance/corrections/rerate.ts';
import { Random } from '../generator/random.ts';
import { ClickHouseEvidence } from '../journal/evidence/clickhouse-evidence.ts';
import { parseCatalogue } from '../rating/catalogue/catalogue-compile.ts';
import type { QuotaUpdate } from '../rating/quota-updates.ts';
import { PLAIN_RULES } from '../rating/record/record-limits.ts';
import { Rules } from '../rating/rules.ts';
import { TEST_CATALOGUE, testRecord } from '../rating/traffic.fixture.ts';
import { PSEUDONYM_KEY, rawRecords } from './engine.fixture.ts';
import { bookRestartedAndWhole, listed } from './restarted-engine.fixture.ts';

const QUOTAS = `quotas:
  - id: acme-month
    sponsor: acme
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: UTC
    quotaOctets: 40000
    notifyAt: [9000]
    plans: [any-day, tagged-week]
`;
const text = TEST_CATALOGUE.replaceAll(
  'period: day',
  'period: day\n    windows: [{ period: week, quotaOctets: 15000 }]',
);
const { catalogue } = parseCatalogue(`${text}${QUOTAS}`, 'catalogue.yaml');
const SETTINGS = {
  pseudonymKey: PSEUDONYM_KEY,
  duplicateWindowRecords: 1000,
  rejectionPayloadBytes: 4096,
  recordRules: PLAIN_RULES,
};
const RECORDS = 90;
const BATCH_RECORDS = 6;
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
process.stdout.write(`further quotas: seed ${seed}\n`);
const records = rawRecords(traffic(new Random(seed)), Date.UTC(2026, 10, 30));

/** Records of two applications and few subscribers, over six weeks, some of which come late. */
function traffic(random: Random) {
  return Array.from({ length: RECORDS }, (_, localSequenceNumber) => {
    const startTime = Date.UTC(2026, 9, 15 + Math.floor(localSequenceNumber / 2) - random.pick([0, 0, 1, 9]), 12);
    return testRecord({
      localSequenceNumber,
      servedMsisdn: `99900000000${random.integer(1, 2)}`,
      startTime,
      endTime: startTime + 1000,
      ...random.pick([{ remoteIp: '198.51.100.7' }, { remoteIp: '8.8.8.8', zeroRatingTag: 'TAG' }]),
      contentType: random.pick([null, 'text', 'image']),
      downlinkOctets: random.integer(0, 6000),
    });
  });
}

type Booked = Awaited<ReturnType<typeof bookRestartedAndWhole>>;
let { opened, evidence, publishers, walk } = {} as Booked;

beforeAll(async () => {
  ({ opened, evidence, publishers, walk } = await bookRestartedAndWhole(catalogue, records, BATCH_RECORDS));
}, 120_000);
afterAll(() => opened?.close());

function consumerOf(...published: readonly QuotaUpdate[][]): Map<string, QuotaUpdate> {
  const newest = new Map<string, QuotaUpdate>();
  for (const update of published.flat()) {
    const key = `${update.subscriber}|${update.planId}`;
    const known = newest.get(key);
    if ((known?.periodStart ?? 0) > update.periodStart) continue;
    if (known?.periodStart === update.periodStart && known.version > update.version) continue;
    newest.set(key, update);
  }
  return newest;
}

test('an engine that restarts at every batch books what one books that never does', async () => {
  const rowsOf = (topic: string) =>
    opened.store.query(
      'SELECT offset, reason, sponsored_octets, charge_micros, used_octets_after, carry_after FROM journal ' +
        `WHERE kind = 'charge' AND topic = '${topic}' ORDER BY offset`,
    );
  const [restarted, whole] = [await rowsOf('restarted'), await rowsOf('whole')];
  expect(restarted).toEqual(whole);
  const counters = (topic: string) =>
    opened.store.query(
      'SELECT lower(hex(subscriber)) AS who, quota_id, toUInt16(period_start) AS start, max(used_octets_after) AS used ' +
        `FROM further_quota_counters WHERE topic = '${topic}' GROUP BY who, quota_id, start ORDER BY ALL`,
    );
  expect(await counters('restarted')).toEqual(await counters('whole'));
  const [used] = await opened.store.query(
    "SELECT uniqExact(quota_id) AS quotas, countIf(used_octets_after = 40000) > 0 AS isUsedUp FROM further_quota_counters WHERE topic = 'whole'",
  );
  expect(used).toMatchObject({ quotas: 2 });
});

test('the audit, the second computation and every replay agree with the journal', async () => {
  expect(await listed(auditJournal(evidence))).toEqual([]);
  for (const from of [1, 2, 9, RECORDS / BATCH_RECORDS]) {
    expect(await listed(auditSource(evidence, walk(from), SETTINGS))).toEqual([]);
    const replayed = await listed(replayBatches(evidence, walk(from), SETTINGS));
    expect(replayed).toHaveLength(2 * (RECORDS / BATCH_RECORDS - from + 1));
    for (const { batch, digest } of replayed) expect(digest).toBe(batch.digest);
  }
});

test('a consumer of the quota updates has what the journal has, whichever engines published them', async () => {
  const { restarted, whole } = publishers;
  const documents = [catalogue?.canonicalJson ?? ''];
  const consumer = consumerOf(restarted.published, whole.published);
  expect(await listed(auditQuotas(evidence, consumer, documents))).toEqual([]);
  const ids = new Set([...consumer.values()].map(({ planId }) => planId));
  expect([...ids].sort()).toEqual(['acme-month', 'any-day', 'any-day:week']);
  const fewer = new Map([...consumer].filter(([, { planId }]) => planId !== 'acme-month'));
  const faults = await listed(auditQuotas(evidence, fewer, documents));
  expect(new Set(faults.map(({ invariant }: AuditFault) => invariant))).toEqual(new Set(['quotas']));
});

test('re-rating with the same catalogue changes nothing', async () => {
  if (catalogue === undefined) throw new Error('the catalogue is bad');
  let changed = 0;
  const selection = { sponsorId: 'acme', range: { fromDay: 0, toDay: 65_535 } };
  const { records: rated } = await rerate(opened.store, new Rules(catalogue), selection, { onChange: () => changed++ });
  expect(rated).toBeGreaterThan(RECORDS);
  expect(changed).toBe(0);
});

/** The last test: it damages the journal. */
test('a counter that was changed in the journal is a fault of digest, second computation and replay', async () => {
  await opened.store.command(
    'ALTER TABLE journal UPDATE further_quotas = arrayMap(m -> (m.1, m.2, m.3, m.4, m.5 + 1, m.6), further_quotas) ' +
      "WHERE kind = 'batch' AND topic = 'whole' AND lane_sequence = 3 SETTINGS mutations_sync = 2",
  );
  const changed = new ClickHouseEvidence(opened.store);
  const isThird = ({ lane, laneSequence }: AuditFault) => lane === 'whole-0' && laneSequence === 3;
  const faults = await listed(auditJournal(changed));
  expect(faults.filter(isThird).map(({ invariant }) => invariant)).toEqual(['digest']);
  const differences = (await listed(auditSource(changed, walk(1, changed), SETTINGS))).filter(isThird);
  expect(differences.map(({ message }) => message).join()).toMatch(
    /acme-month of [0-9a-f]{32} since day \d+: \d+ used/,
  );
});
