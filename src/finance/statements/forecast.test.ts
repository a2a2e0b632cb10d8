import { describe, expect, test } from 'vitest';
import { changeOf, forecastOf, forecastTerms } from './forecast.ts';

const days = (count: number, micros: bigint) =>
  Array.from({ length: count }, (_, at) => ({
    day: `2026-11-${String(at + 1).padStart(2, '0')}`,
    chargeMicros: micros,
    sponsoredOctets: micros * 2n,
  }));

describe('a forecast', () => {
  test('of a month whose days are alike is that day, thirty times', () => {
    expect(forecastOf(days(11, 7n), '2026-11', '2026-11-11')).toEqual({
      soFarMicros: 77n,
      wholeMicros: 210n,
      wholeOctets: 420n,
      completeDays: 10,
    });
  });

  test('does not take the last, incomplete day for a complete one, and counts days without usage', () => {
    const some = [...days(2, 30n), { day: '2026-11-05', chargeMicros: 1n, sponsoredOctets: 1n }];
    expect(forecastOf(some, '2026-11', '2026-11-05')).toMatchObject({ wholeMicros: 450n, completeDays: 4 });
  });

  test('is never below what is charged already, and knows no days of other months', () => {
    const some = [
      { day: '2026-10-31', chargeMicros: 9_000n, sponsoredOctets: 1n },
      ...days(1, 1n),
      { day: '2026-11-02', chargeMicros: 500n, sponsoredOctets: 1n },
    ];
    expect(forecastOf(some, '2026-11', '2026-11-02')).toMatchObject({ soFarMicros: 501n, wholeMicros: 501n });
  });

  test.each([
    ['that is over', days(30, 1n), '2026-12-01'],
    ['without usage', [], '2026-11-05'],
    ['without a complete day', days(1, 1n), '2026-11-01'],
  ])('of a month %s is none', (_, byDay, today) => expect(forecastOf(byDay, '2026-11', today)).toBeNull());
});

test('a change is in tenths of a percent, and none from nothing', () => {
  expect([changeOf(110n, 100n), changeOf(50n, 100n), changeOf(1n, 0n)]).toEqual([100, -500, null]);
});

test('the terms of a forecast month are those of its whole usage, an application by its share so far', () => {
  const forecast = { soFarMicros: 100n, wholeMicros: 300n, wholeOctets: 3_000n, completeDays: 10 };
  const usage = [
    { name: 'chat', chargeMicros: 75n, sponsoredOctets: 500n },
    { name: 'mail', chargeMicros: 25n, sponsoredOctets: 500n },
  ];
  const terms = { id: 't', version: 1, flatFeeMicros: 7n, volumeRebate: null };
  const rebate = { appliesTo: 'all_charges' as const, bands: [{ fromOctets: 1_500n, basisPoints: 1_000 }] };
  const own = { ...terms, applicationId: null, minimumCommitmentMicros: 1_000n };
  const chat = { ...terms, applicationId: 'chat', minimumCommitmentMicros: null, volumeRebate: rebate };
  // Chat has 225 of 300 at the end, and 23 off; the sponsor lacks 723 to 1000; two fees.
  expect(forecastTerms([chat, own], forecast, usage)).toBe(-23n + 723n + 14n);
  expect(forecastTerms([own], forecast, [])).toBe(707n);
  expect(forecastTerms([], forecast, usage)).toBe(0n);
});
