import { expect, test } from 'vitest';
import { leakageOf, summarise } from '../rating/batch-summary.ts';
import { catalogueFromCanonicalJson } from '../rating/catalogue/catalogue-compile.ts';
import { NO_FACTS, Rules } from '../rating/rules.ts';
import { asValue, rateValues, testLane, testRecord, testRules } from '../rating/traffic.fixture.ts';
import { journalBlock } from './journal-block.ts';

/** Of these records, as versions that kept no leakage computed it. */
const DIGEST_WITHOUT_LEAKAGE = 'cff0dd04223b0f13c1ce060ce75d9e61df186584d0c131741bdd97fcb97cf57a';

function digestWith(leakageRows: number, published: { publishedThrough?: number } = {}): string {
  // With the catalogue's text as those versions had it: its hash is in the digest.
  const { applications, ...parts } = JSON.parse(
    testRules().catalogue.canonicalJson.replaceAll(/"minorDigits":\d,/g, ''),
  );
  const known = applications.filter(({ id }: { id: string }) => id !== 'seen');
  const catalogue = catalogueFromCanonicalJson(JSON.stringify({ applications: known, ...parts }));
  const rules = new Rules(catalogue, NO_FACTS);
  const lane = testLane();
  const records = [
    testRecord(),
    testRecord({ localSequenceNumber: 2, remoteIp: '8.8.8.8' }),
    testRecord({ localSequenceNumber: 3, remoteIp: '9.9.9.9', zeroRatingTag: 'OLD' }),
    testRecord({ localSequenceNumber: 4, uplinkOctets: -1 }),
  ];
  const { batch } = rateValues(records.map(asValue), lane, rules);
  const place = {
    log: { topic: 'flows', partition: 3, lane: 'flows-3' },
    bookingDay: 20_777,
    chainedDay: 0,
    prev: -1,
    firstOffset: 0,
    lastOffset: 3,
    laneSequence: 1,
    lanePosition: 0,
    gapReason: '' as const,
    ...published,
  };
  const summary = summarise(
    batch,
    leakageOf(batch, { nodes: lane.nodes.list, tags: rules.evidence.tags }, leakageRows),
  );
  return journalBlock(batch, () => 'payload', summary, place, lane, rules).digest;
}

test('a batch without leakage has the digest that earlier versions give it', () => {
  expect(digestWith(0)).toBe(DIGEST_WITHOUT_LEAKAGE);
});

test('the digest covers the leakage, and how much of it the batch may have', () => {
  expect(new Set([0, 1, 2, 3].map((rows) => digestWith(rows))).size).toBe(4);
});

test('the digest does not cover what was published by then, which follows from no record', () => {
  for (const leakageRows of [0, 3]) {
    expect(digestWith(leakageRows, { publishedThrough: 0 })).toBe(digestWith(leakageRows));
  }
});
