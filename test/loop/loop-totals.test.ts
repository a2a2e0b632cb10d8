import { expect, test } from 'vitest';
import { type CallTotals, callDifferences } from './call-totals.ts';
import { type ApplicationTotals, differences } from './loop-totals.ts';

const APPLICATION: ApplicationTotals = {
  applicationId: 'lumen',
  way: 'terminal_tag',
  sent: 1100,
  metered: 1100,
  identified: 1000,
  reported: 1000,
  charged: 700,
  subscribers: 300,
  uncharged: 200,
  notSponsored: { sponsor_suspended: 200 },
  tagChangeOctets: 0,
};
const CALLS: CallTotals = {
  applicationId: 'lumen',
  sent: 500,
  metered: 500,
  meteredUdp: 490,
  marked: 450,
  reported: 450,
  charged: 400,
  subscribers: 0,
  uncharged: 50,
  tagChangeOctets: 0,
};

const differencesOf = (changes: Partial<ApplicationTotals>) => {
  const totals = { ...APPLICATION, ...changes };
  const all = { sent: totals.sent, metered: totals.metered, journal: totals.metered };
  return differences({ applications: [totals], all });
};

test('records of a suspended sponsor are accounted for by the journal’s reason, calls too', () => {
  expect(differencesOf({})).toEqual([]);
  expect(callDifferences([CALLS])).toEqual([]);
});

test('a record without a charge for which the journal has no reason is a difference', () => {
  expect(differencesOf({ uncharged: 250 })).toEqual([
    'lumen (terminal_tag): metered and identified, without a charge 250, not sponsored in the journal 200',
  ]);
});

test('a call whose charge names another content or other octets is a difference', () => {
  expect(callDifferences([{ ...CALLS, charged: 399 }])).toEqual([
    'calls of lumen: metered with the tag and charged 400, in the journal 399',
  ]);
});

test('with session tags one octet that is reported and not metered with the tag is a difference', () => {
  expect(differencesOf({ reported: 1001 })).toEqual([
    'lumen (terminal_tag): metered with the tag 1000, reported by proxies 1001',
  ]);
});
