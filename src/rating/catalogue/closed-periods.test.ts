import { expect, test } from 'vitest';
import { type Plan, periodEndMs, periodStartDay } from '../catalogue.ts';
import { isPeriodClosed, monthAfterDay, monthOverMs } from './closed-periods.ts';

const DAY_MS = 86_400_000;
const dayOf = (text: string) => Date.parse(text) / DAY_MS;
type PlanTime = Parameters<typeof monthOverMs>[0];

function planOf(
  period: Plan['period'],
  timeZone: string,
  from = '2020-01-01T00:00:00Z',
  to: string | null = null,
): PlanTime {
  const effectiveToMs = to === null ? Number.POSITIVE_INFINITY : Date.parse(to);
  return { period, timeZone, effectiveFromMs: Date.parse(from), effectiveToMs };
}

test.each<[Plan['period'], string, string, string]>([
  ['day', 'UTC', '2026-10-31', '2026-11-01T00:00:00Z'],
  ['day', 'America/Los_Angeles', '2026-10-31', '2026-11-01T07:00:00Z'],
  ['month', 'America/Los_Angeles', '2026-11-01', '2026-12-01T08:00:00Z'],
  ['week', 'America/Los_Angeles', '2026-10-26', '2026-11-02T08:00:00Z'],
  ['month', 'Pacific/Kiritimati', '2026-10-01', '2026-10-31T10:00:00Z'],
  // Midnight of that day is not there: clocks went forward over it.
  ['day', 'America/Sao_Paulo', '2018-11-03', '2018-11-04T03:00:00Z'],
  // Clocks went back at 00:01: an hour of the day before came twice.
  ['day', 'America/St_Johns', '2010-11-06', '2010-11-07T03:30:00Z'],
])('a %s in %s that begins on %s ends at %s', (period, timeZone, day, end) => {
  const endMs = periodEndMs(dayOf(day), period, timeZone);
  expect(new Date(endMs).toISOString()).toBe(new Date(end).toISOString());
  expect(periodStartDay(endMs - 1, period, timeZone)).toBe(dayOf(day));
  for (let minute = 0; minute < 300; minute++) {
    expect(periodStartDay(endMs + minute * 60_000, period, timeZone)).toBeGreaterThan(dayOf(day));
  }
});

test.each<[string, PlanTime, string, string | null]>([
  ['a month in UTC', planOf('month', 'UTC'), '2026-10-01', '2026-11-01T00:00:00Z'],
  ['a month in Los Angeles', planOf('month', 'America/Los_Angeles'), '2026-10-01', '2026-11-01T07:00:00Z'],
  ['a day in Tokyo', planOf('day', 'Asia/Tokyo'), '2026-10-01', '2026-10-31T15:00:00Z'],
  ['a week over the end', planOf('week', 'UTC'), '2026-10-01', '2026-11-02T00:00:00Z'],
  ['weeks that end with the month', planOf('week', 'UTC'), '2027-01-01', '2027-02-01T00:00:00Z'],
  [
    'a week that the plan’s end cuts',
    planOf('week', 'UTC', undefined, '2026-11-01T12:00:00Z'),
    '2026-10-01',
    '2026-11-01T12:00:00Z',
  ],
  [
    'a plan that ended in the month',
    planOf('week', 'UTC', undefined, '2026-10-07T00:00:00Z'),
    '2026-10-01',
    '2026-11-01T00:00:00Z',
  ],
  ['a plan that ended before', planOf('week', 'UTC', undefined, '2026-10-01T00:00:00Z'), '2026-10-01', null],
  [
    'a plan that begins in the last week',
    planOf('week', 'UTC', '2026-11-01T06:00:00Z'),
    '2026-10-01',
    '2026-11-02T00:00:00Z',
  ],
  ['a plan that begins after it', planOf('day', 'UTC', '2026-11-01T00:00:00Z'), '2026-10-01', null],
])('%s is over when its last period is', (_, plan, month, expected) => {
  const overMs = monthOverMs(plan, dayOf(month));
  expect(overMs === null ? null : new Date(overMs).toISOString()).toBe(
    expected === null ? null : new Date(expected).toISOString(),
  );
});

test('a month that is closed as soon as it is over leaves no period of it open, and closes none of the next', () => {
  for (const period of ['day', 'week', 'month'] as const) {
    for (const timeZone of ['UTC', 'America/Los_Angeles', 'Pacific/Kiritimati', 'Asia/Kathmandu']) {
      const plan = planOf(period, timeZone);
      for (let month = dayOf('2026-01-01'); month < dayOf('2027-01-01'); month = monthAfterDay(month)) {
        const closing = { month, endedByMs: monthOverMs(plan, month)! };
        const days = Array.from({ length: monthAfterDay(month) - month }, (_, at) => month + at);
        const starts = days.filter((day) => periodStartDay(day * DAY_MS, period, 'UTC') === day);
        expect(starts.every((day) => isPeriodClosed(plan, day, closing))).toBe(true);
        expect(starts.some((day) => isPeriodClosed(plan, day, { ...closing, month: month - 1 }))).toBe(false);
      }
    }
  }
});

test('a period that runs when its month is closed stays open', () => {
  const running = { month: dayOf('2026-10-01'), endedByMs: Date.parse('2026-11-01T00:00:00Z') };
  expect(isPeriodClosed(planOf('week', 'UTC'), dayOf('2026-10-26'), running)).toBe(false);
  expect(isPeriodClosed(planOf('week', 'UTC'), dayOf('2026-10-19'), running)).toBe(true);
  expect(isPeriodClosed(planOf('month', 'America/Los_Angeles'), dayOf('2026-10-01'), running)).toBe(false);
  expect(isPeriodClosed(planOf('month', 'UTC'), dayOf('2026-10-01'), undefined)).toBe(false);
});
