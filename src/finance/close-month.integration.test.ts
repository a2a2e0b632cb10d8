import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DOORS, type OpenedStore } from '../engine/engine.fixture.ts';
import { closeMonth } from './close-month.ts';
import { Booker, bookCorrection, bookEntry, chatCatalogue } from './finance.fixture.ts';
import { endOfMonthMs } from './month.ts';
import { readStatement } from './statement.ts';
import { statementJson } from './statement-document.ts';

describe.each(['embedded', 'http'] as const)('over the %s door', (door) => {
  let opened: OpenedStore;
  let booker: Booker;

  beforeAll(async () => {
    opened = await DOORS[door]();
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

  test('what is frozen is the statement, and closing again books nothing', async () => {
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

  test('a closed month never changes, whatever comes later; the next month has it as adjustments', async () => {
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

  test('a sponsor’s last balance is the account’s', async () => {
    await close('2026-11');
    const [balance] = await opened.store.query<{ micros: string }>(
      "SELECT toString(balance_micros) AS micros FROM account_balances WHERE sponsor_id = 'chatter'",
    );
    const { totals } = await readStatement(opened.store, 'chatter', '2026-11');
    expect(totals.closingMicros).toBe(BigInt(balance.micros));
  });

  test('of those who close one month together one books, and the others are told', async () => {
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
