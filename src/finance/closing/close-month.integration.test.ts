import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditJournal } from '../../assurance/audit/audit.ts';
import { memorySource, OPEN_STORE, type OpenedStore, rawRecords, runEngine } from '../../engine/engine.fixture.ts';
import { ClickHouseEvidence } from '../../journal/evidence/clickhouse-evidence.ts';
import type { FlowRecord } from '../../rating/flow-record.ts';
import { testRecord } from '../../rating/traffic.fixture.ts';
import { endOfMonthMs } from '../month.ts';
import { Booker, bookCorrection, bookEntry, catalogueOf, chatCatalogue } from '../statements/finance.fixture.ts';
import { readStatement } from '../statements/statement.ts';
import { statementJson } from '../statements/statement-document.ts';
import { closeMonth } from './close-month.ts';

describe.each(['embedded', 'http'] as const)('with a store of access %s', (access) => {
  let opened: OpenedStore;
  let booker: Booker;

  beforeAll(async () => {
    opened = await OPEN_STORE[access]();
    booker = new Booker(opened.store, 'flows');
    await booker.book(['2026-09-30', '2026-10-01', '2026-10-31'].map(use), '2026-11-01', { skipped: 3 });
    await bookEntry(opened.store, { number: 1, amountMicros: 9_000_000, effectiveAt: '2026-09-01T00:00:00Z' });
  });
  afterAll(() => opened?.close());

  const use = (at: string) => ({ at, octets: 700_000 });
  const close = (month: string, { who = 'Ada', nowMs = Date.UTC(2027, 0, 15), sponsorId = 'chatter' } = {}) =>
    closeMonth(opened.store, { sponsorId, month, who, nowMs });
  const json = async (month: string) => statementJson(await readStatement(opened.store, 'chatter', month));
  const closings = async () => (await opened.store.query('SELECT number FROM closings')).length;

  test('months are closed in order, once they are over', async () => {
    expect(await close('2026-10')).toMatchObject({
      outcome: 'refused',
      reason: 'earlier_month_open',
      message: expect.stringContaining('2026-09 of chatter is open'),
    });
    const tooEarly = await close('2026-09', { nowMs: endOfMonthMs('2026-09') - 1 });
    expect(tooEarly).toMatchObject({ outcome: 'refused', reason: 'month_not_over' });
    expect(await closings()).toBe(0);
    expect(await close('2026-09', { nowMs: endOfMonthMs('2026-09') })).toMatchObject({ outcome: 'closed' });
  });

  test('an unknown sponsor is refused', async () => {
    await expect(close('2026-09', { sponsorId: 'chat' })).rejects.toThrow('it knows chatter');
  });

  test('closing freezes the statement, and closing again books nothing', async () => {
    const { totals, due, proof, completeness, ...open } = await readStatement(opened.store, 'chatter', '2026-10');
    const closed = await close('2026-10', { who: 'Ada, "finance"' });
    expect(closed).toMatchObject({
      outcome: 'closed',
      closing: {
        number: 2,
        who: 'Ada, "finance"',
        sponsorName: 'Chatter & <sons>',
        currency: 'USD',
        records: 2,
        chargeMicros: totals.chargeMicros,
        closingMicros: totals.closingMicros + (due?.roundingMicros ?? 0n),
        merkleRoot: proof.merkleRoot,
      },
    });
    const closingMicros = totals.closingMicros + (due?.roundingMicros ?? 0n);
    expect(closingMicros % 10_000n).toBe(0n);
    const expected = { ...open, totals: { ...totals, closingMicros }, due, proof, completeness, isClosed: true };
    const closing = { number: 2, closedAt: '2027-01-15T00:00:00.000Z', who: 'Ada, "finance"' };
    expect(await readStatement(opened.store, 'chatter', '2026-10')).toEqual({ ...expected, closing });
    const again = await close('2026-10', { who: 'Bob' });
    expect(again).toEqual({ outcome: 'already_closed', closing: closed.outcome === 'closed' && closed.closing });
    expect(await closings()).toBe(2);
  });

  test('a closed month never changes; what is booked later is an adjustment of the next month', async () => {
    const before = await json('2026-10');
    const renamed = chatCatalogue(
      '[{ upToOctets: null, pricePerMiB: "9" }]',
      '{ id: chatter, name: New, currency: USD, creditLimit: "1" }',
    );
    await booker.book(['2026-09-02', '2026-10-02', '2026-11-02'].map(use), '2026-12-01', {
      catalogue: renamed,
      skipped: 2,
    });
    await booker.book([{ at: '2026-10-09', octets: -1 }], '2026-12-01');
    await bookEntry(opened.store, { number: 2, amountMicros: 1, effectiveAt: '2026-10-09T00:00:00Z' });
    await bookCorrection(opened.store, { number: 1, month: '2026-10', factor: 0, bookedOn: '2026-12-02' });
    expect(await json('2026-10')).toBe(before);

    const november = await readStatement(opened.store, 'chatter', '2026-11');
    const october = await readStatement(opened.store, 'chatter', '2026-10');
    expect(november.lines.map(({ usageMonth, isAdjustment, records }) => [usageMonth, isAdjustment, records])).toEqual([
      ['2026-11', false, 1],
      ['2026-10', true, 1],
      ['2026-09', true, 1],
    ]);
    expect(november.corrections).toMatchObject([{ usageMonth: '2026-10', isAdjustment: true, rows: 6 }]);
    expect(november.entries.map(({ number }) => number)).toEqual([2]);
    expect(november.sponsor.name).toBe('New');
    expect(november.totals.openingMicros).toBe(october.totals.closingMicros);
    expect(november.isOpeningFinal).toBe(true);
    // All three of October’s charges were taken back, the late one too.
    const [, late, later] = november.lines;
    expect(november.totals.adjustmentMicros).toBe(later.chargeMicros - october.totals.chargeMicros);
    expect(late.chargeMicros).toBeGreaterThan(0n);
  });

  test('a sponsor’s last closing balance is the account’s balance', async () => {
    await close('2026-11');
    const [balance] = await opened.store.query<{ micros: string }>(
      "SELECT toString(balance_micros) AS micros FROM account_balances WHERE sponsor_id = 'chatter'",
    );
    const { totals } = await readStatement(opened.store, 'chatter', '2026-11');
    expect(totals.closingMicros).toBe(BigInt(balance.micros));
  });

  test('several processes close one month together: one books, the others return its closing', async () => {
    await booker.book([use('2026-12-02')], '2026-12-03');
    const racers = await Promise.all(['Ada', 'Bob', 'Cem', 'Dee'].map((who) => close('2026-12', { who })));
    expect(racers.map(({ outcome }) => outcome).sort()).toEqual([
      'already_closed',
      'already_closed',
      'already_closed',
      'closed',
    ]);
    const whos = racers.map((racer) => (racer.outcome === 'refused' ? '' : racer.closing.who));
    expect(new Set(whos).size).toBe(1);
    expect(await closings()).toBe(4);
  });
});

describe('when a month is over', () => {
  let opened: OpenedStore;

  beforeAll(async () => {
    opened = await OPEN_STORE.embedded();
  });
  afterAll(() => opened?.close());

  const sponsors = ['west', 'weekly', 'east', 'moved', 'idle'];
  const planOf = (
    id: string,
    period: string,
    timeZone: string,
    { version = 1, from = '2020-01-01', to = 'null' } = {},
  ) =>
    `  - { id: ${id}-plan, application: ${id}-app, version: ${version}, effectiveFrom: ${from}T00:00:00Z, effectiveTo: ${to}, period: ${period},` +
    ` timeZone: ${timeZone}, content: { text: 10000 }, quotaOctets: null, tiers: [{ upToOctets: null, pricePerMiB: "1" }], latePolicy: refuse }`;
  const catalogueWith = (plans: readonly string[]) =>
    catalogueOf(
      `sponsors:\n${sponsors.map((id) => `  - { id: ${id}, name: ${id}, currency: USD, creditLimit: "1000" }`).join('\n')}\n` +
        `applications:\n${sponsors.map((id) => `  - { id: ${id}-app, sponsor: ${id}, tags: [${id}] }`).join('\n')}\n` +
        `plans:\n${plans.join('\n')}\n`,
    );
  const first = catalogueWith([
    planOf('west', 'month', 'America/Los_Angeles'),
    planOf('weekly', 'week', 'UTC'),
    planOf('east', 'day', 'Asia/Tokyo'),
    planOf('moved', 'day', 'UTC'),
  ]);
  const records: FlowRecord[] = [];
  /** Books one record of a sponsor, and returns its outcome. */
  const book = async (sponsorId: string, startTime: string, catalogue = first) => {
    const startMs = Date.parse(startTime);
    records.push(
      testRecord({
        localSequenceNumber: records.length + 1,
        startTime: startMs,
        endTime: startMs + 1000,
        zeroRatingTag: sponsorId,
        remoteIp: '8.8.8.8',
        contentType: 'text',
      }),
    );
    const log = { topic: 'over', partition: 0, lane: 'over-0' };
    const raw = rawRecords(records, Date.parse('2026-11-01T00:00:00Z')).slice(-1);
    await runEngine({ store: opened.store, source: memorySource(log, raw, 1000), catalogue, maxRecords: 1000 });
    const [{ reason }] = await opened.store.query<{ reason: string }>(
      `SELECT reason FROM journal WHERE kind != 'batch' AND offset = ${records.length - 1}`,
    );
    return reason;
  };
  const close = (sponsorId: string, at: string, { month = '2026-10', graceDelayMs = 0 } = {}) =>
    closeMonth(opened.store, { sponsorId, month, who: 'Ada', nowMs: Date.parse(at), graceDelayMs });

  test.each([
    [
      'west',
      '2026-11-01T06:59:59.999Z',
      '2026-11-01T07:00:00Z',
      'the month of plan west-plan that begins on 2026-10-01 runs until 2026-11-01T07:00:00.000Z (America/Los_Angeles)',
    ],
    [
      'weekly',
      '2026-11-01T23:59:59.999Z',
      '2026-11-02T00:00:00Z',
      'the week of plan weekly-plan that begins on 2026-10-26 runs until 2026-11-02T00:00:00.000Z (UTC)',
    ],
    [
      'east',
      '2026-10-31T14:59:59.999Z',
      '2026-10-31T15:00:00Z',
      'the day of plan east-plan that begins on 2026-10-31 runs until 2026-10-31T15:00:00.000Z (Asia/Tokyo)',
    ],
  ])(
    '%s: not at %s, but at %s; records until then are sponsored, later ones are refused',
    async (sponsorId, before, at, runs) => {
      expect(await book(sponsorId, '2026-10-28T12:00:00Z')).toBe('sponsored');
      const refused = await close(sponsorId, before);
      expect(refused).toMatchObject({
        outcome: 'refused',
        reason: 'month_not_over',
        message: expect.stringContaining(runs),
      });
      expect(await book(sponsorId, before)).toBe('sponsored');
      expect(await close(sponsorId, at)).toMatchObject({ outcome: 'closed' });
      expect(await book(sponsorId, before)).toBe('period_closed');
      expect(await book(sponsorId, at)).toBe('sponsored');
    },
  );

  test('a month stays open for the grace', async () => {
    expect(await book('moved', '2026-10-28T12:00:00Z')).toBe('sponsored');
    const graceDelayMs = 2 * 86_400_000;
    const early = await close('moved', '2026-11-02T23:59:59.999Z', { graceDelayMs });
    expect(early).toMatchObject({
      reason: 'month_not_over',
      message: expect.stringContaining('2026-11-03T00:00:00.000Z'),
    });
    expect(await close('moved', '2026-11-03T00:00:00Z', { graceDelayMs })).toMatchObject({ outcome: 'closed' });
  });

  test('a plan added later keeps its period of a closed month open until it ends, and the audit passes', async () => {
    // The grace of two days left 2026-11-01T00:00Z. The month in Los Angeles, which the store did not know of, was not over.
    const later = catalogueWith([
      planOf('moved', 'day', 'UTC', { to: '2026-10-10T00:00:00Z' }),
      planOf('moved', 'month', 'America/Los_Angeles', { from: '2026-10-10' }).replace('moved-plan', 'moved-monthly'),
    ]);
    expect(await book('moved', '2026-10-09T12:00:00Z', later)).toBe('period_closed');
    expect(await book('moved', '2026-10-31T12:00:00Z', later)).toBe('sponsored');
    for await (const fault of auditJournal(new ClickHouseEvidence(opened.store))) expect(fault).toBeUndefined();
  });

  test('a sponsor without a plan: the month ends as UTC’s does', async () => {
    await bookEntry(opened.store, {
      number: 1,
      sponsorId: 'idle',
      amountMicros: 1,
      effectiveAt: '2026-10-01T00:00:00Z',
    });
    expect(await close('idle', '2026-10-31T23:59:59.999Z')).toMatchObject({ reason: 'month_not_over' });
    expect(await close('idle', '2026-11-01T00:00:00Z')).toMatchObject({ outcome: 'closed' });
  });
});
