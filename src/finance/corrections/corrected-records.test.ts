import { describe, expect, test } from 'vitest';
import { PLAIN_LIMITS } from '../../rating/record/record-limits.ts';
import { testRecord } from '../../rating/traffic.fixture.ts';
import { correctedRecordsDigest, parseCorrectedRecords } from './corrected-records.ts';

const line = (place: object, record: object = testRecord()) => JSON.stringify({ ...place, record });
const place = (offset: number, topic = 'flows', partition = 3) => ({ topic, partition, offset });
const parse = (...lines: string[]) => parseCorrectedRecords(lines.join('\n'), 10_000, PLAIN_LIMITS);

test('records come in the order of their places, with their line numbers', () => {
  const { records, faults } = parse(
    line(place(9)),
    '',
    line({ ...place(2), reason: 'malformed', payload: '{' }),
    line({ topic: 'calls', partition: 4, offset: '5' }),
  );
  expect(faults).toEqual([]);
  expect(records.map(({ line, topic, partition, offset }) => ({ line, topic, partition, offset }))).toEqual([
    { line: 4, topic: 'calls', partition: 4, offset: 5 },
    { line: 3, topic: 'flows', partition: 3, offset: 2 },
    { line: 1, topic: 'flows', partition: 3, offset: 9 },
  ]);
  expect(JSON.parse(records[0].value.toString())).toEqual(testRecord());
});

describe('faults, all of them at once, each with its line', () => {
  test.each<[string, string, RegExp]>([
    ['no JSON', '{"topic":', /^is not JSON/],
    ['no object', '[]', /^is no object: /],
    ['a name twice', '{"topic":"flows","topic":"calls"}', /^has a name twice/],
    ['a leading zero', line(place(1), testRecord({ servedMsisdn: '0170' })), /invalid_msisdn/],
    ['no place', line({ topic: 'flows', partition: 3 }), /^offset: expected the offset of the rejection/],
    ['no topic', line({ partition: 3, offset: 1 }), /^topic: expected the name of the topic/],
    ['an invalid offset', line(place(-1)), /^offset: expected the offset of the rejection/],
    ['no record', JSON.stringify(place(1)), /^record: expected the corrected flow record/],
    ['a pseudonym', line(place(1), testRecord({ servedMsisdn: '~0123456789abcdef' })), /invalid_msisdn/],
    [
      'a record that is not corrected',
      line(place(1), testRecord({ uplinkOctets: -1 })),
      /negative_octets.*uplinkOctets is below 0/,
    ],
    ['a record that is too large', line(place(1), { ...testRecord(), more: 'x'.repeat(10_000) }), /oversized_record/],
  ])('%s', (_, text, message) => {
    expect(parse(line(place(7)), text).faults).toEqual([{ line: 2, message: expect.stringMatching(message) }]);
  });

  test('a place that is given twice', () => {
    const { faults } = parse(line(place(7)), line(place(7)));
    expect(faults).toEqual([{ line: 2, message: 'flows-3@7 is also in line 1' }]);
  });
});

test('the digest is over places and records, in any order', () => {
  const digest = (...lines: string[]) => correctedRecordsDigest(parse(...lines).records);
  const [first, second] = [line(place(1)), line(place(2))];
  expect(digest(first, second)).toBe(digest(second, first));
  expect(digest(first, line(place(3)))).not.toBe(digest(first, second));
  expect(digest(first, line(place(2), testRecord({ downlinkOctets: 1 })))).not.toBe(digest(first, second));
});
