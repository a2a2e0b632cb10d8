import { expect, test } from 'vitest';
import {
  dayName,
  daysOfMonth,
  endOfMonthMs,
  monthAfter,
  monthBefore,
  monthName,
  monthOf,
  parseMonth,
  startOfMonthMs,
} from './month.ts';

test.each(['2026-11', '1970-01', '2148-12'])('%s is a month', (text) => {
  expect(parseMonth(text)).toBe(text);
});

test.each(['2026-13', '2026-00', '2026-1', '1969-12', '2149-01', '2026-11-01', ' 2026-11', 'November', ''])(
  '%j is none',
  (text) => expect(parseMonth(text)).toBeNull(),
);

test('months and days have one name in every runtime', () => {
  expect([monthName('2026-01'), monthName('2026-12')]).toEqual(['January 2026', 'December 2026']);
  expect(dayName(Date.UTC(2026, 4, 3, 23, 59))).toBe('3 May 2026');
  expect(daysOfMonth('2028-02')).toBe('1–29 February 2028');
});

test('months follow each other over the turn of a year, leap years too', () => {
  expect([monthAfter('2026-12'), monthBefore('2027-01'), monthAfter('2028-02')]).toEqual([
    '2027-01',
    '2026-12',
    '2028-03',
  ]);
  expect(endOfMonthMs('2028-02')).toBe(Date.UTC(2028, 1, 29, 24));
  expect(monthOf(endOfMonthMs('2026-11') - 1)).toBe('2026-11');
  expect(monthOf(startOfMonthMs('2026-11'))).toBe('2026-11');
});
