import { describe, expect, test } from 'vitest';
import { type BookedCorrection, differsIn, overlaps } from './corrections.ts';

const BOOKED: BookedCorrection = {
  number: 1,
  name: 'october',
  who: 'ada',
  why: 'a price',
  sponsorId: 'acme',
  range: { fromDay: 100, toDay: 200 },
  catalogueHash: 'abc',
  recycling: 0,
  isFromSource: false,
};

test.each<[Partial<BookedCorrection>, string[]]>([
  [{}, []],
  [{ name: 'november' }, []],
  [{ sponsorId: 'bolt' }, ['sponsor']],
  [{ range: { fromDay: 100, toDay: 201 } }, ['range']],
  [{ catalogueHash: 'abd', who: 'eve', why: 'none' }, ['catalogue', 'who', 'why']],
])('a request with %j differs in %j', (changes, fields) => {
  const { catalogueHash, ...asked } = { ...BOOKED, ...changes };
  expect(differsIn(BOOKED, asked, catalogueHash)).toEqual(fields);
});

describe('corrections have records in common', () => {
  test.each<[string, number, number, boolean]>([
    ['acme', 200, 300, false],
    ['acme', 0, 100, false],
    ['acme', 199, 300, true],
    ['acme', 0, 101, true],
    ['acme', 120, 130, true],
    ['acme', 0, 900, true],
    ['bolt', 100, 200, false],
  ])('%s from %d to %d: %s', (sponsorId, fromDay, toDay, expected) => {
    const other = { sponsorId, range: { fromDay, toDay } };
    expect(overlaps(BOOKED, other)).toBe(expected);
    expect(overlaps(other, BOOKED)).toBe(expected);
  });

  test('a reversal of a recycling has records of any sponsor', () => {
    const reversal = { ...BOOKED, sponsorId: '', recycling: 3 };
    expect(overlaps(reversal, { sponsorId: 'bolt', range: { fromDay: 199, toDay: 300 } })).toBe(true);
    expect(overlaps(reversal, { sponsorId: 'bolt', range: { fromDay: 200, toDay: 300 } })).toBe(false);
  });
});
