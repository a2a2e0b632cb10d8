import { describe, expect, test } from 'vitest';
import { changeOf, forecastOf } from './forecast.ts';

const days = (count: number, micros: bigint) =>
  Array.from({ length: count }, (_, at) => ({
    day: `2026-11-${String(at + 1).padStart(2, '0')}`,
    chargeMicros: micros,
  }));

describe('a forecast', () => {
  test('of a month whose days are alike is that day, thirty times', () => {
    expect(forecastOf(days(11, 7n), '2026-11', '2026-11-11')).toEqual({
      soFarMicros: 77n,
      wholeMicros: 210n,
      completeDays: 10,
    });
  });

  test('does not take the last, incomplete day for a complete one, and counts days without usage', () => {
    const some = [...days(2, 30n), { day: '2026-11-05', chargeMicros: 1n }];
    expect(forecastOf(some, '2026-11', '2026-11-05')).toMatchObject({ wholeMicros: 450n, completeDays: 4 });
  });

  test('is never below what is charged already, and knows no days of other months', () => {
    const some = [
      { day: '2026-10-31', chargeMicros: 9_000n },
      ...days(1, 1n),
      { day: '2026-11-02', chargeMicros: 500n },
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
