import fc from 'fast-check';
import { DateTime } from 'luxon';
import { expect, test } from 'vitest';
import { PeriodCalendar, periodStartDay, STATISTICS_PERIODS, type StatisticsPeriod } from './catalogue.ts';

const dayName = (day: number) => new Date(day * 86_400_000).toISOString().slice(0, 10);

test.each<[string, StatisticsPeriod, string, string]>([
  ['2026-10-31T15:59:59.999Z', 'month', 'Asia/Shanghai', '2026-10-01'],
  ['2026-10-31T16:00:00Z', 'month', 'Asia/Shanghai', '2026-11-01'],
  ['2026-11-23T12:00:00Z', 'week', 'UTC', '2026-11-23'], // a Monday
  ['2026-11-22T23:59:59.999Z', 'week', 'UTC', '2026-11-16'],
  ['2026-01-01T00:00:00Z', 'week', 'UTC', '2025-12-29'],
  ['2018-11-04T03:00:00Z', 'day', 'America/Sao_Paulo', '2018-11-04'], // the day began at 01:00
  ['2018-11-04T02:59:59Z', 'day', 'America/Sao_Paulo', '2018-11-03'],
  ['2026-10-25T00:30:00Z', 'day', 'Europe/Berlin', '2026-10-25'], // 02:30, the first time
  ['2026-10-25T23:00:00Z', 'day', 'Europe/Berlin', '2026-10-26'],
  ['2026-11-22T18:14:59Z', 'day', 'Asia/Kathmandu', '2026-11-22'],
  ['2026-11-22T18:15:00Z', 'day', 'Asia/Kathmandu', '2026-11-23'],
  ['2011-12-30T09:59:59Z', 'day', 'Pacific/Apia', '2011-12-29'], // the 30th never was
  ['2011-12-30T10:00:00Z', 'day', 'Pacific/Apia', '2011-12-31'],
  ['2024-02-29T23:59:59Z', 'month', 'UTC', '2024-02-01'],
])('%s counts in the %s of %s that begins on %s', (instant, period, timeZone, start) => {
  expect(dayName(periodStartDay(Date.parse(instant), period, timeZone))).toBe(start);
});

test('the calendar remembers what the time zone says', () => {
  const zone = fc.constantFrom(
    'UTC',
    'Asia/Kathmandu',
    'America/St_Johns',
    'Australia/Lord_Howe',
    'Pacific/Apia',
    'America/Sao_Paulo',
  );
  const instants = fc.array(fc.integer({ min: Date.UTC(1972, 0), max: Date.UTC(2100, 0) }), {
    minLength: 1,
    maxLength: 30,
  });
  fc.assert(
    fc.property(zone, fc.constantFrom(...STATISTICS_PERIODS), instants, (timeZone, period, times) => {
      const calendar = new PeriodCalendar(period, timeZone);
      // Neighbours of an instant are asked for after it, out of the same quarter of an hour.
      for (const timeMs of times.flatMap((time) => [time, time + 60_000, time - 60_000])) {
        expect(calendar.startDay(timeMs)).toBe(periodStartDay(timeMs, period, timeZone));
      }
    }),
  );
});

test('around every change of the clocks of every zone the calendar says what the time zone says', () => {
  const quarterMs = 15 * 60_000;
  const [fromMs, toMs] = [Date.UTC(2026, 0), Date.UTC(2027, 0)];
  const offsetAt = (timeMs: number, zone: string) => DateTime.fromMillis(timeMs, { zone }).offset;
  let changes = 0;
  for (const timeZone of Intl.supportedValuesOf('timeZone')) {
    const calendar = new PeriodCalendar('day', timeZone);
    for (let dayMs = fromMs; dayMs < toMs; dayMs += 86_400_000) {
      if (offsetAt(dayMs, timeZone) === offsetAt(dayMs + 86_400_000, timeZone)) continue;
      changes++;
      for (let timeMs = dayMs - 43_200_000; timeMs < dayMs + 129_600_000; timeMs += quarterMs) {
        for (const each of [timeMs - 1, timeMs]) {
          if (calendar.startDay(each) !== periodStartDay(each, 'day', timeZone)) expect([timeZone, each]).toEqual([]);
        }
      }
    }
  }
  expect(changes).toBeGreaterThan(100);
});

test.each<[string, string, string]>([
  // Clocks went back from 00:01 to 23:01: the quarter of an hour holds a minute of Sunday and fourteen of Saturday.
  ['America/St_Johns', '2010-11-07T02:30:00Z', '2010-11-07T02:31:00Z'],
  ['America/Goose_Bay', '2010-11-07T03:00:00Z', '2010-11-07T03:01:00Z'],
  ['America/Moncton', '2006-10-29T03:00:00Z', '2006-10-29T03:01:00Z'],
  // Midnight was at 10:40 UTC.
  ['Pacific/Kiritimati', '1979-09-30T10:30:00Z', '1979-09-30T10:40:00Z'],
])('%s: what the calendar was asked at %s does not decide %s', (timeZone, asked, instant) => {
  const calendar = new PeriodCalendar('day', timeZone);
  calendar.startDay(Date.parse(asked));
  const timeMs = Date.parse(instant);
  expect(dayName(calendar.startDay(timeMs))).toBe(dayName(periodStartDay(timeMs, 'day', timeZone)));
});
