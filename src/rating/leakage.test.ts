import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { leakageOf, summarise } from './batch-summary.ts';
import type { FlowRecord } from './flow-record.ts';
import { outcomeOf, REASONS } from './outcome.ts';
import { asValue, rateValues, testLane, testRecord, testRules } from './traffic.fixture.ts';

const DAY_MS = 86_400_000;
const rules = testRules({ suspensions: { sponsorIds: new Set(['bolt']), number: 1 } });

/** Leakage of one batch of these records, its words filled in. */
function leakageRows(records: readonly Partial<FlowRecord>[], maxRows: number) {
  const lane = testLane();
  const values = records.map((fields, at) => asValue(testRecord({ localSequenceNumber: at, ...fields })));
  const { batch } = rateValues(values, lane, rules);
  const leakage = leakageOf(batch, { nodes: lane.nodes.list, tags: rules.evidence.tags }, maxRows);
  const rows = leakage.rows.map(({ application, reasonCode, ...row }) => ({
    applicationId: rules.catalogue.applications[application]?.id ?? '',
    reason: String(REASONS[reasonCode].reason),
    ...row,
  }));
  return { batch, leakage, rows };
}

const drawn = fc.record({
  nodeId: fc.constantFrom('gw-1', 'gw-2'),
  // Unknown, of an application with a plan, of one that asks for a tag, of one that is suspended.
  remoteIp: fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.constantFrom('198.51.100.7', '198.51.100.70', '203.0.113.9', '::ffff:203.0.113.77', '2001:db8:1::9'),
    fc.constantFrom('8.8.8.8', '8.8.8.9', '8.8.9.8', '2001:db8::1', '2001:db8:0:1::1', '::1', '1:0:0:1::'),
  ),
  zeroRatingTag: fc.constantFrom(null, '', 'ANY', 'TAG', 'BOTH', 'STALE', 'STALE-2', 'straße'),
  startTime: fc.constantFrom(Date.UTC(2026, 10, 10, 23, 59, 59, 999), Date.UTC(2026, 10, 11)),
  contentType: fc.constantFrom(null, 'text' as const, 'other' as const),
  uplinkOctets: fc.nat(3),
  downlinkOctets: fc.nat(3),
});

describe('the leakage of a batch', () => {
  test('names reason, network, tag, node and day, the largest first', () => {
    const stale = { remoteIp: '203.0.114.8', zeroRatingTag: 'OLD-TAG', nodeId: 'gw-9' };
    const startTime = Date.UTC(2026, 10, 9, 23);
    const { rows } = leakageRows(
      [
        { remoteIp: '2001:db8:9:ffff::1', startTime, uplinkOctets: 1, downlinkOctets: 2 },
        { ...stale, uplinkOctets: 5, downlinkOctets: 0 },
        { remoteIp: '198.51.100.7', contentType: 'text' },
        { ...stale, remoteIp: '203.0.114.200', uplinkOctets: 0, downlinkOctets: 7 },
        { remoteIp: '198.51.100.70', uplinkOctets: 0, downlinkOctets: 4 },
      ],
      10,
    );
    const day = Date.UTC(2026, 10, 10) / DAY_MS;
    expect(rows).toEqual([
      // biome-ignore format: a table
      { applicationId: '', reason: 'unknown_tag', prefix: '203.0.114.0/24', tag: 'OLD-TAG', nodeId: 'gw-9', day, records: 2, octets: 12 },
      // biome-ignore format: a table
      { applicationId: 'tagged', reason: 'tag_missing', prefix: '198.51.100.0/24', tag: '', nodeId: 'gw-1', day, records: 1, octets: 4 },
      // biome-ignore format: a table
      { applicationId: '', reason: 'no_evidence', prefix: '2001:db8:9::/48', tag: '', nodeId: 'gw-1', day: day - 1, records: 1, octets: 3 },
    ]);
  });

  test('is bounded: what has no row is in one remainder for each application and reason', () => {
    const { rows } = leakageRows(
      [
        ...Array.from({ length: 50 }, (_, at) => ({ remoteIp: `8.8.${at}.1`, uplinkOctets: at, downlinkOctets: 0 })),
        ...Array.from({ length: 5 }, (_, at) => ({ zeroRatingTag: `OLD-${at}`, remoteIp: '9.9.9.9' })),
      ],
      7,
    );
    expect(rows.map(({ prefix }) => prefix)).toEqual([
      ...Array(5).fill('9.9.9.0/24'),
      '8.8.49.0/24',
      '8.8.48.0/24',
      '',
    ]);
    expect(rows.at(-1)).toMatchObject({ reason: 'no_evidence', tag: '', nodeId: '', day: 0, records: 48 });
    expect(rows.at(-1)?.octets).toBe((47 * 48) / 2);
  });

  test('of groups of one size the first read has a row', () => {
    const records = Array.from({ length: 30 }, (_, at) => ({ remoteIp: `8.8.${(at * 7) % 30}.1` }));
    const { rows } = leakageRows(records, 3);
    expect(rows.slice(0, 3).map(({ prefix }) => prefix)).toEqual(['8.8.0.0/24', '8.8.7.0/24', '8.8.14.0/24']);
  });

  test('is none where none is kept, or every record is sponsored', () => {
    expect(leakageRows([{ remoteIp: '8.8.8.8' }], 0).leakage).toEqual({ maxRows: 0, rows: [] });
    expect(leakageRows([{}], 5).rows).toEqual([]);
  });

  test('sums to the outcomes by application and reason, and no two rows are of one group', () => {
    fc.assert(
      fc.property(fc.array(drawn, { maxLength: 80 }), fc.integer({ min: 1, max: 20 }), (records, maxRows) => {
        const { batch, rows } = leakageRows(records, maxRows);
        const expected = summarise(batch).counts.filter((count) => outcomeOf(count.reasonCode) === 'not_sponsored');
        const sums = new Map<string, [number, number]>();
        for (const { applicationId, reason, records, octets } of rows) {
          const [r, o] = sums.get(`${applicationId} ${reason}`) ?? [0, 0];
          sums.set(`${applicationId} ${reason}`, [r + records, o + octets]);
        }
        const keyOf = ({ application, reasonCode }: (typeof expected)[number]) =>
          `${rules.catalogue.applications[application]?.id ?? ''} ${REASONS[reasonCode].reason}`;
        expect(sums).toEqual(new Map(expected.map((count) => [keyOf(count), [count.records, count.octets]])));
        const groups = rows.map(({ records, octets, ...group }) => JSON.stringify(group));
        expect(new Set(groups).size).toBe(groups.length);
        expect(rows.filter(({ prefix }) => prefix !== '').length).toBeLessThanOrEqual(maxRows);
      }),
    );
  });

  test('keeps no digits of what may be a subscriber’s number in a tag that no application claims', () => {
    const tags = ['4917012345678', 'A-49 170 1234-5678', 'V-2026-1', '999-12'];
    const { rows } = leakageRows(
      tags.map((zeroRatingTag) => ({ zeroRatingTag, remoteIp: '203.0.114.8' })),
      10,
    );
    expect(rows.map(({ tag }) => tag)).toEqual(['#############', 'A-## ### ####-####', 'V-2026-1', '999-12']);
  });
});
