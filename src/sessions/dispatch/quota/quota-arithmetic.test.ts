import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { provisionalUse, type QuotaAccount, withReported, withUpdate } from './quota-account.ts';
import { firstCap, remainingQuota, renewedCap, unusedQuota } from './remaining-quota.ts';

const TODAY = 20_000;
const QUOTA = 1000;
const update = (usedOctets: number, version: number, periodStart = TODAY) =>
  ({ usedOctets, version, periodStart }) as Parameters<typeof withUpdate>[1];

test.each<[string, QuotaAccount, number]>([
  ['nothing known', [], 0],
  [
    'the newest update wins, whatever comes after it',
    withUpdate(withUpdate([], update(70, 2), TODAY), update(50, 1), TODAY),
    70,
  ],
  [
    'an update of the same version changes nothing',
    withUpdate(withUpdate([], update(70, 2), TODAY), update(50, 2), TODAY),
    70,
  ],
  ['a newer one may be lower', withUpdate(withUpdate([], update(70, 2), TODAY), update(50, 3), TODAY), 50],
  ['another period is another', withUpdate(withUpdate([], update(70, 2), TODAY), update(5, 9, TODAY + 1), TODAY), 70],
  [
    'the larger meter counts',
    withReported(withUpdate([], update(70, 2), TODAY), { periodStart: TODAY, sponsoredOctets: 80 }, TODAY),
    80,
  ],
])('used: %s', (_, account, used) => {
  expect(provisionalUse(account, TODAY)).toBe(used);
});

test('periods of long ago are forgotten, those of a month are not', () => {
  const account = withUpdate(withUpdate([], update(1, 1, TODAY - 31), TODAY), update(1, 1, TODAY - 32), TODAY);
  expect(account.map(({ periodStart }) => periodStart)).toEqual([TODAY - 31]);
});

test('without a quota a grant is of its size, and nothing runs out', () => {
  const state = { quotaOctets: Number.POSITIVE_INFINITY, usedOctets: 1e15, reservedOctets: 1e15 };
  expect([remainingQuota([state]), firstCap([state], 300)]).toEqual([Number.POSITIVE_INFINITY, 300]);
});

test('the least of all quotas is what is left, by what each of them has used and reserved', () => {
  const day = { quotaOctets: 300, usedOctets: 100, reservedOctets: 150 };
  const month = { quotaOctets: 2000, usedOctets: 1880, reservedOctets: 0 };
  expect([remainingQuota([month, day]), unusedQuota([month, day])]).toEqual([50, 120]);
  expect(firstCap([day, month], 60)).toBe(50);
  expect(unusedQuota([day, { ...month, usedOctets: 2100 }])).toBe(0);
});

type Step =
  | { kind: 'grant' | 'renew' | 'use' | 'report' | 'end'; session: number; octets: number }
  | { kind: 'engine'; octets: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('grant', 'renew', 'use', 'report', 'end'),
    session: fc.nat(5),
    octets: fc.integer({ min: 1, max: 400 }),
  }),
  fc.record({ kind: fc.constant('engine' as const), octets: fc.nat(400) }),
);

test('whatever the order of grants, use, reports and updates: never more is given, or used, than the quota', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      let account: QuotaAccount = [];
      let [version, engineSaw] = [0, 0];
      const sessions: { cap: number; used: number; reported: number; isOver: boolean }[] = [];
      const reservedBut = (except?: object) =>
        sessions.reduce((sum, s) => sum + (s === except || s.isOver ? 0 : s.cap - s.reported), 0);
      const state = (except?: object) => ({
        quotaOctets: QUOTA,
        usedOctets: provisionalUse(account, TODAY),
        reservedOctets: reservedBut(except),
      });
      const report = (session: (typeof sessions)[number], octets: number) => {
        const sponsoredOctets = Math.min(octets, session.used - session.reported);
        session.reported += sponsoredOctets;
        account = withReported(account, { periodStart: TODAY, sponsoredOctets }, TODAY);
      };
      for (const each of steps) {
        if (each.kind === 'engine') {
          // It sees what was used, late, and its updates may be read out of order.
          engineSaw = Math.min(
            sessions.reduce((sum, { used }) => sum + used, 0),
            engineSaw + each.octets,
          );
          account = withUpdate(account, update(engineSaw, ++version), TODAY);
        } else if (each.kind === 'grant') {
          sessions.push({ cap: firstCap([state()], each.octets), used: 0, reported: 0, isOver: false });
        } else {
          const session = sessions[each.session];
          if (session === undefined || session.isOver) continue;
          const given = { sponsoredOctetsCap: session.cap, usedSponsoredOctets: session.reported };
          if (each.kind === 'renew') session.cap = renewedCap(given, [state(session)], each.octets);
          if (each.kind === 'use') session.used = Math.min(session.cap, session.used + each.octets);
          if (each.kind === 'report') report(session, each.octets);
          if (each.kind === 'end') {
            report(session, session.used);
            session.isOver = true;
          }
        }
        const given = sessions.reduce((sum, s) => sum + (s.isOver ? s.used : s.cap), 0);
        expect(given).toBeLessThanOrEqual(QUOTA);
      }
    }),
    { seed: 20_261_110, numRuns: 1000 },
  );
});
