import { describe, expect, test } from 'vitest';
import { parseDay } from '../../finance/calendar-day.ts';
import { HAD_CHARGE, type UsageSums } from '../../finance/corrections/difference.ts';
import type { SponsorLine } from '../../finance/corrections/what-if.ts';
import { formatDifference } from './print-difference.ts';

const sums = (records: bigint, sponsoredOctets: bigint, chargeMicros: bigint): UsageSums => ({
  records,
  sponsoredOctets,
  subscriberOctets: 5n,
  chargeMicros,
});

function line(day: string, planVersion: number, before: UsageSums, after: UsageSums): SponsorLine {
  const usageDay = Number(parseDay(day));
  const monthDay = Number(parseDay(`${day.slice(0, 7)}-01`));
  const planId = planVersion === 0 ? '' : 'daily';
  return {
    sponsorId: 'acme',
    currency: 'USD',
    planId,
    planVersion,
    monthDay,
    usageDay,
    newlyBy: HAD_CHARGE,
    before,
    after,
  };
}

const NONE = { records: 0n, sponsoredOctets: 0n, subscriberOctets: 0n, chargeMicros: 0n };
const HUGE = 2n ** 60n;
const LINES = [
  line('2026-10-02', 0, NONE, sums(1n, 0n, 0n)),
  line('2026-10-02', 2, sums(3n, 3000n, 1_500_000n), sums(2n, 1000n, 500_000n)),
  line('2026-10-01', 10, sums(1n, HUGE, 1n), sums(1n, HUGE, 3n)),
  line('2026-10-01', 2, sums(1n, 10n, 0n), sums(1n, 10n, 0n)),
];

test('a table by plan, version and month, with a total', () => {
  expect(formatDifference(LINES, ['plan', 'version', 'month'], 'table').split('\n')).toEqual([
    'plan       version  month    records  re-rated           sponsored octets                   re-rated    charge  re-rated  difference',
    '─────────  ───────  ───────  ───────  ────────  ─────────────────────────  ─────────────────────────  ────────  ────────  ──────────  ───',
    '(no plan)           2026-10        0         1                          0                          0  0.000000  0.000000    0.000000  USD',
    'daily      2        2026-10        4         3                      3 010                      1 010  1.500000  0.500000   -1.000000  USD',
    'daily      10       2026-10        1         1  1 152 921 504 606 846 976  1 152 921 504 606 846 976  0.000001  0.000003   +0.000002  USD',
    'total                              5         5  1 152 921 504 606 849 986  1 152 921 504 606 847 986  1.500001  0.500003   -0.999998  USD',
  ]);
});

test('CSV by sponsor, plan and day, in whole octets and micro-units', () => {
  const [title, ...rows] = formatDifference(LINES, ['sponsor', 'plan', 'day'], 'csv').split('\n');
  expect(title).toMatch(/^sponsor,plan,day,currency,before\.records,before\.sponsoredOctets,/);
  expect(rows).toEqual([
    'acme,(no plan),2026-10-02,USD,0,0,0,0,1,0,5,0,1,0,5,0',
    `acme,daily,2026-10-01,USD,2,${HUGE + 10n},10,1,2,${HUGE + 10n},10,3,0,0,0,2`,
    'acme,daily,2026-10-02,USD,3,3000,5,1500000,2,1000,5,500000,-1,-2000,0,-1000000',
  ]);
});

describe('JSON', () => {
  test('has sums as text, as they may pass what a number can hold', () => {
    const { lines, totals } = JSON.parse(formatDifference(LINES, ['plan'], 'json'));
    expect(lines).toHaveLength(2);
    expect(totals).toEqual([
      {
        sponsor: 'acme',
        currency: 'USD',
        before: {
          records: '5',
          sponsoredOctets: String(HUGE + 3010n),
          subscriberOctets: '15',
          chargeMicros: '1500001',
        },
        after: { records: '5', sponsoredOctets: String(HUGE + 1010n), subscriberOctets: '20', chargeMicros: '500003' },
        difference: { records: '0', sponsoredOctets: '-2000', subscriberOctets: '5', chargeMicros: '-999998' },
      },
    ]);
  });

  test('of no charges has no lines', () => {
    expect(JSON.parse(formatDifference([], ['plan'], 'json'))).toEqual({ lines: [], totals: [] });
  });
});
