import { expect, test } from 'vitest';
import { monthOfPeriod } from '../rating/catalogue/closed-periods.ts';
import { dayText, parseDay } from './calendar-day.ts';

test.each<[string, number | null]>([
  ['1970-01-01', 0],
  ['2026-10-01', 20_727],
  ['2028-02-29', 21_243],
  ['2149-06-06', 65_535],
  ['2149-06-07', null],
  ['1969-12-31', null],
  ['2026-02-30', null],
  ['2026-13-01', null],
  ['2026-1-1', null],
  ['2026-10-01T00:00:00Z', null],
  ['october', null],
])('%s is day %d', (text, day) => {
  expect(parseDay(text)).toBe(day);
  if (day !== null) expect(dayText(day)).toBe(text);
});

test.each([
  ['2026-10-01', '2026-10-01'],
  ['2026-10-31', '2026-10-01'],
  ['2028-02-29', '2028-02-01'],
])('%s is of the month that begins on %s', (day, start) => {
  expect(dayText(monthOfPeriod(Number(parseDay(day))))).toBe(start);
});
