import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ReportedUsage } from '../../sessions/protocol/dispatch-messages.ts';
import { type ChargedUsage, reconcile } from './reconcile.ts';

const NONE = { octets: 0, basisPoints: 0, clockSkewMs: 1000 };
const who = (number: number) => String(number).padStart(32, '0');

function report(fields: Partial<ReportedUsage> = {}): ReportedUsage {
  return {
    reportId: randomUUID(),
    proxyId: 'edge-1',
    sessionId: 's1',
    sequence: 1,
    kind: 'interim',
    startTimeMs: 0,
    endTimeMs: 10_000,
    usage: [{ contentType: 'text', uplinkOctets: 60, downlinkOctets: 40 }],
    subscriber: who(1),
    sponsorId: 'acme',
    applicationId: 'chat',
    contentShares: { text: 10_000, image: 5000 },
    ...fields,
  };
}

function charged(fields: Partial<ChargedUsage> = {}): ChargedUsage {
  const place = { subscriber: who(1), sponsorId: 'acme', applicationId: 'chat', contentType: 'text' };
  return { ...place, startTimeMs: 0, endTimeMs: 10_000, octets: 100, sponsoredOctets: 100, ...fields };
}

describe('reports compared with charges', () => {
  test.each<[string, ReportedUsage[], ChargedUsage[]]>([
    [
      'the same octets in other intervals',
      [report()],
      [charged({ octets: 1 }), charged({ startTimeMs: 9000, octets: 99 })],
    ],
    ['within the clocks’ tolerance', [report()], [charged({ startTimeMs: 11_000, endTimeMs: 12_000 })]],
    [
      'two sessions that overlap',
      [report(), report({ sessionId: 's2', startTimeMs: 5000 })],
      [charged({ octets: 200 })],
    ],
    [
      'content that the plan does not cover',
      [report(), report({ usage: [{ contentType: 'video', uplinkOctets: 9, downlinkOctets: 0 }] })],
      [charged()],
    ],
  ])('agree: %s', (_, reports, records) => {
    expect(reconcile(reports, records, NONE).differences).toEqual([]);
  });

  test.each<[string, ReportedUsage[], ChargedUsage[], object[]]>([
    ['only reported', [report()], [], [{ kind: 'only_reported', sessionIds: ['s1'], reportedOctets: 100 }]],
    ['only charged', [], [charged()], [{ kind: 'only_charged', sessionIds: [], chargedOctets: 100 }]],
    ['an octet less', [report()], [charged({ octets: 99 })], [{ kind: 'octets_differ', contentType: 'text' }]],
    [
      'another content type',
      [report()],
      [charged({ contentType: 'image' })],
      [
        { kind: 'only_reported', contentType: 'text' },
        { kind: 'only_charged', contentType: 'image' },
      ],
    ],
    [
      'another application',
      [report()],
      [charged({ applicationId: 'talk' })],
      [{ kind: 'only_reported' }, { kind: 'only_charged', applicationId: 'talk' }],
    ],
    [
      'later than the clocks explain',
      [report()],
      [charged({ startTimeMs: 11_001, endTimeMs: 12_000 })],
      [{ kind: 'only_reported' }, { kind: 'only_charged' }],
    ],
  ])('differ: %s', (_, reports, records, expected) => {
    const { differences } = reconcile(reports, records, NONE);
    expect(differences).toHaveLength(expected.length);
    expected.forEach((difference, i) => {
      expect(differences[i]).toMatchObject(difference);
    });
  });

  test('a difference within either tolerance is ignored', () => {
    const off = [charged({ octets: 97 })];
    expect(reconcile([report()], off, { ...NONE, octets: 2 }).differences).toHaveLength(1);
    expect(reconcile([report()], off, { ...NONE, octets: 3 }).differences).toEqual([]);
    expect(reconcile([report()], off, { ...NONE, basisPoints: 299 }).differences).toHaveLength(1);
    expect(reconcile([report()], off, { ...NONE, basisPoints: 300 }).differences).toEqual([]);
  });

  test('totals are by sponsor and application', () => {
    const image = report({ usage: [{ contentType: 'image', uplinkOctets: 7, downlinkOctets: 0 }] });
    expect(reconcile([report(), image], [charged()], NONE).totals).toEqual([
      {
        sponsorId: 'acme',
        applicationId: 'chat',
        reportedOctets: 107,
        chargedOctets: 100,
        reportedSponsoredOctets: 103,
        chargedSponsoredOctets: 100,
      },
    ]);
  });
});

test('planted differences are found, each and no other', () => {
  const plan = fc.array(fc.constantFrom('equal', 'only_reported', 'only_charged', 'octets_differ'), { maxLength: 40 });
  fc.assert(
    fc.property(plan, fc.nat(), (kinds, shuffle) => {
      const reports: ReportedUsage[] = [];
      const records: ChargedUsage[] = [];
      kinds.forEach((kind, i) => {
        const span = { startTimeMs: i * 20_000, endTimeMs: i * 20_000 + 10_000, subscriber: who(i % 3) };
        const of = report({ ...span, sessionId: `s${i}` });
        if (kind !== 'only_charged') reports.push(of);
        if (kind !== 'only_reported') records.push(charged({ ...span, octets: kind === 'octets_differ' ? 101 : 100 }));
      });
      const turn = records.length === 0 ? 0 : shuffle % records.length;
      const turned = [...records.slice(turn), ...records.slice(0, turn)];
      const { differences } = reconcile(reports, turned, NONE);
      const found = differences.sort((a, b) => a.startTimeMs - b.startTimeMs).map(({ kind }) => kind);
      expect(found).toEqual(kinds.filter((kind) => kind !== 'equal'));
    }),
    { seed: 20_261_110 },
  );
});
