import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { auditCampaigns } from '../../assurance/audit/audit-campaigns.ts';
import { auditFacts } from '../../assurance/audit/audit-facts.ts';
import { auditSource } from '../../assurance/audit/audit-source.ts';
import { replayBatches } from '../../assurance/replay/replay.ts';
import {
  memorySource,
  OPEN_STORE,
  type OpenedStore,
  PSEUDONYM_KEY,
  rawRecords,
  runEngine,
  TEST_SETTINGS,
} from '../../engine/engine.fixture.ts';
import { walkBatches } from '../../engine/read-again/walk-batches.ts';
import { chatRecord } from '../../engine/traffic.fixture.ts';
import { CampaignFactReader } from '../../journal/campaign-facts.ts';
import { ClickHouseEvidence } from '../../journal/evidence/clickhouse-evidence.ts';
import { systemClock } from '../../platform/clock.ts';
import { Audience, AudienceChangeList } from '../../rating/campaigns/audience.ts';
import { Rules } from '../../rating/rules.ts';
import { rerate } from '../corrections/rerate.ts';
import { campaignCatalogue } from './campaign.fixture.ts';
import { type AudienceChange, bookPause, changeAudience, type PauseRequest } from './change-campaign.ts';

const MSISDNS = Array.from({ length: 6 }, (_, at) => `99900000000${at}`);
const LOGS = ['a', 'b'].map((topic) => ({ topic, partition: 0, lane: `${topic}-0` }));
const START_MS = Date.UTC(2026, 10, 23, 12);
const CATALOGUE = campaignCatalogue('{ payment: postpaid, audience: opted-in }');
let opened: OpenedStore;

beforeEach(async () => {
  opened = await OPEN_STORE.embedded();
});
afterEach(() => opened?.close());

function audienceOf(subscribers: readonly number[]): Audience {
  const changes = new AudienceChangeList();
  for (const subscriber of subscribers) changes.addOctets(PSEUDONYM_KEY.pseudonymOf(MSISDNS[subscriber]), true);
  return Audience.EMPTY.with(changes);
}

const change = (kind: AudienceChange, subscribers: readonly number[], dryRun = false) =>
  changeAudience(
    opened.store,
    { campaignId: 'launch', change: kind, listed: audienceOf(subscribers), who: 'alice', why: 'list', dryRun },
    systemClock,
  );
const pause = (kind: 'pause' | 'resume', request: Partial<PauseRequest> = {}) =>
  bookPause(
    opened.store,
    { kind, campaignId: 'launch', idempotencyKey: `${kind}-1`, who: 'alice', why: 'review', ...request },
    systemClock,
  );
const numbers = async () => (await new CampaignFactReader(opened.store).now()).number;

const subscribers = fc.subarray(MSISDNS.map((_, at) => at));
/** What happens between batches, or a batch of one of two lanes. */
const step = fc.oneof(
  { arbitrary: fc.record({ kind: fc.constantFrom('opt-in', 'opt-out', 'replace'), subscribers }), weight: 3 },
  { arbitrary: fc.record({ kind: fc.constantFrom('pause', 'resume') }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant('batch'), lane: fc.nat({ max: 1 }), subscribers }), weight: 4 },
);
type Step = { kind: string; subscribers?: number[]; lane?: number };

/** The facts by a set and a flag: which of a batch's records the campaign pays for. */
class Expected {
  readonly #optedIn = new Set<number>();
  #isPaused = false;

  apply({ kind, subscribers = [] }: Step): void {
    if (kind === 'pause' || kind === 'resume') this.#isPaused = kind === 'pause';
    if (kind === 'replace') this.#optedIn.clear();
    for (const subscriber of subscribers) {
      if (kind === 'opt-out') this.#optedIn.delete(subscriber);
      else if (kind !== 'batch') this.#optedIn.add(subscriber);
    }
  }

  reason(subscriber: number): string {
    if (this.#isPaused) return 'campaign_paused';
    return this.#optedIn.has(subscriber) ? 'sponsored' : 'not_in_audience';
  }
}

test('facts that come at any border of batches decide as a set and a flag do, and replay, audit and re-rating agree', async () => {
  await fc.assert(
    fc
      .asyncProperty(fc.array(step, { minLength: 8, maxLength: 24 }), async (steps) => {
        await runSteps(steps as Step[]);
      })
      .afterEach(async () => {
        for (const table of ['journal', 'campaign_facts', 'catalogues'])
          await opened.store.command(`TRUNCATE TABLE ${table}`);
      }),
    { numRuns: 5 },
  );
});

async function runSteps(steps: readonly Step[]): Promise<void> {
  const expected = new Expected();
  const counts = new Map<string, number>();
  const read = LOGS.map(() => [] as ReturnType<typeof rawRecords>);
  let sequence = 0;
  for (const each of steps) {
    const { kind, lane = 0, subscribers = [] } = each;
    expected.apply(each);
    if (kind === 'pause' || kind === 'resume') await pause(kind, { idempotencyKey: `key-${++sequence}` });
    else if (kind !== 'batch') await change(kind as AudienceChange, subscribers);
    else {
      const records = subscribers.map((subscriber) =>
        chatRecord({
          servedMsisdn: MSISDNS[subscriber],
          localSequenceNumber: ++sequence,
          startTime: START_MS,
          endTime: START_MS,
        }),
      );
      read[lane].push(...rawRecords(records, START_MS, read[lane].length));
      await runEngine({
        store: opened.store,
        source: memorySource(LOGS[lane], read[lane]),
        catalogue: CATALOGUE,
        maxRecords: 3,
      });
      for (const subscriber of subscribers) {
        const reason = expected.reason(subscriber);
        counts.set(reason, (counts.get(reason) ?? 0) + 1);
      }
    }
  }
  const rows = await opened.store.query<{ reason: string; records: number }>(
    'SELECT reason, sum(records) AS records FROM outcomes GROUP BY reason ORDER BY reason',
  );
  expect(rows.map(({ reason, records }) => [reason, Number(records)])).toEqual([...counts].sort());
  await checkAgain(read);
}

/** Replays, audits and re-rates what was booked. */
async function checkAgain(read: readonly ReturnType<typeof rawRecords>[]): Promise<void> {
  const { store } = opened;
  const settings = { ...TEST_SETTINGS, pseudonymKey: PSEUDONYM_KEY };
  const evidence = new ClickHouseEvidence(store);
  const batches = await evidence.batches();
  const walk = () =>
    walkBatches(batches, async ([{ topic }]) => {
      const log = LOGS.findIndex((each) => each.topic === topic);
      return memorySource(LOGS[log], read[log]);
    });
  for await (const { batch, digest } of replayBatches(evidence, walk(), settings)) expect(digest).toBe(batch.digest);
  for await (const fault of auditSource(evidence, walk(), settings)) expect(fault).toBeUndefined();
  for await (const fault of auditFacts(store)) expect(fault).toBeUndefined();
  for await (const fault of auditCampaigns(store)) expect(fault).toBeUndefined();
  const days = { fromDay: Date.UTC(2026, 10) / 86_400_000, toDay: Date.UTC(2026, 11) / 86_400_000 };
  const difference = await rerate(store, new Rules(CATALOGUE), { sponsorId: 'chatter', range: days });
  expect(difference.changed).toBe(0);
}

describe('an audience', () => {
  test('changes by what a list changes: the same list again books nothing', async () => {
    expect(await change('opt-in', [0, 1])).toEqual({ optedIn: 2, optedOut: 0, size: 2 });
    expect(await change('opt-in', [1, 0])).toEqual({ optedIn: 0, optedOut: 0, size: 2 });
    expect(await change('replace', [1, 2, 3], true)).toEqual({ optedIn: 2, optedOut: 1, size: 3 });
    expect(await numbers()).toBe(1);
    expect(await change('replace', [1, 2, 3])).toEqual({ optedIn: 2, optedOut: 1, size: 3 });
    expect(await change('opt-out', [0, 3])).toEqual({ optedIn: 0, optedOut: 1, size: 2 });
    expect(await numbers()).toBe(3);
    const reader = new CampaignFactReader(opened.store);
    const sizes = await Promise.all(
      [3, 0, 2, 1].map(async (number) => (await reader.asOf(number)).states.get('launch')?.audience.size),
    );
    expect(sizes).toEqual([2, undefined, 3, 2]);
  });

  test('has the subscribers of both of two lists that come at once', async () => {
    const both = await Promise.all([change('opt-in', [0, 1, 2]), change('opt-in', [2, 3])]);
    expect(both.map(({ optedIn }) => optedIn).reduce((a, b) => a + b)).toBe(4);
    expect((await new CampaignFactReader(opened.store).now()).states.get('launch')?.audience.size).toBe(4);
    expect(await numbers()).toBe(2);
  });
});

describe('a pause', () => {
  test('is booked once under its key, and refused where it changes nothing', async () => {
    expect(await pause('resume')).toEqual({
      outcome: 'refused',
      message: 'campaign launch is not paused; nothing to do',
    });
    expect(await pause('pause')).toEqual({ outcome: 'booked', number: 1 });
    expect(await pause('pause')).toEqual({ outcome: 'existing', number: 1 });
    expect(await pause('pause', { idempotencyKey: 'other' })).toMatchObject({
      outcome: 'refused',
      message: 'campaign launch is paused already; nothing to do',
    });
    expect(await pause('resume', { idempotencyKey: 'pause-1' })).toMatchObject({
      outcome: 'refused',
      message: expect.stringContaining('key "pause-1" is used by fact 1, pause of launch, booked by alice'),
    });
    expect(await pause('resume')).toEqual({ outcome: 'booked', number: 2 });
    expect(await pause('pause')).toEqual({ outcome: 'existing', number: 1 });
  });
});

test('audit finds charges that the named facts forbid', async () => {
  await change('opt-in', [0]);
  const records = [chatRecord({ servedMsisdn: MSISDNS[0], startTime: START_MS, endTime: START_MS })];
  const source = memorySource(LOGS[0], rawRecords(records, START_MS));
  const catalogue = campaignCatalogue(
    '{ payment: postpaid, audience: opted-in, caps: [{ per: day, octets: 10 }, { per: whole, money: "1.5" }] }',
  );
  await runEngine({ store: opened.store, source, catalogue });
  const messages = async () => {
    const found: string[] = [];
    for await (const { invariant, message } of auditCampaigns(opened.store)) found.push(`${invariant}: ${message}`);
    return found;
  };
  expect(await messages()).toEqual([]);
  const name = (number: number) =>
    opened.store.command(
      `ALTER TABLE journal UPDATE campaign_number = ${number} WHERE kind = 'batch' SETTINGS mutations_sync = 2`,
    );
  const cap = (number: number, values: string) =>
    opened.store.command(
      'INSERT INTO campaign_facts (number, campaign_id, kind, cap_per, cap_unit, cap_limit, window_start) ' +
        `SELECT ${number}, 'launch', 'cap_reached', ${values}`,
    );
  await cap(2, "'day', 'octets', 9, '2026-11-23'");
  await cap(3, "'day', 'octets', 10, '2026-11-22'");
  await cap(4, "'whole', 'octets', 10, '1970-01-01'");
  await cap(5, "'whole', 'money', 1500000, '1970-01-01'");
  await cap(6, "'day', 'octets', 10, '2026-11-23'");
  await pause('pause');
  await change('opt-out', [0]);
  const charged = 'campaigns: a-0 offset 0 is charged to campaign launch, which';
  await name(4);
  expect(await messages()).toEqual([]);
  await name(5);
  expect(await messages()).toEqual([`${charged} had reached a cap by fact 5`]);
  await name(8);
  expect(await messages()).toEqual([
    `${charged} was paused by fact 7`,
    `${charged} had reached a cap by fact 5`,
    `${charged} the subscriber had opted out of by fact 8`,
  ]);
  await name(0);
  expect(await messages()).toEqual([`${charged} the subscriber had not opted in to`]);
});
