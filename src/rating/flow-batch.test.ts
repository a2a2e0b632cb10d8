import { expect, test } from 'vitest';
import { shortestMs } from './catalogue/large-catalogue.fixture.ts';
import { FlowBatch } from './flow-record.ts';
import { incoming } from './incoming.ts';
import { asValue, rateValues, testLane, testRecord, testRules } from './traffic.fixture.ts';

const RECORD = { offset: 0, octets: Buffer.from('abcd'), valueStart: 1, valueEnd: 3 };

test('a cleared batch is as good as a new one', () => {
  const values = [
    {},
    { remoteIp: '8.8.8.8' },
    { uplinkOctets: -1 },
    { zeroRatingTag: 'TAG', remoteIp: '2001:db8::1' },
    { sponsorIdentity: 'bolt-pays' },
  ].map((fields, at) => asValue({ ...testRecord({ localSequenceNumber: at }), ...fields }));
  const { batch } = rateValues(values, testLane(), testRules());
  batch.clear();
  expect(batch).toEqual(new FlowBatch(values.length));
});

test('a batch that has grown row by row holds what one with room from the start does, and refuses a row too many', () => {
  const [grown, whole] = [new FlowBatch(600, 1), new FlowBatch(600)];
  for (const batch of [grown, whole]) {
    for (let at = 0; at < 600; at++) {
      const row = batch.addRows([{ ...RECORD, offset: 2 ** 40 + at }], 0, 1);
      batch.remoteAddress.fill(row, row * 4, row * 4 + 4);
      batch.contentType[row] = row % 6;
    }
  }
  expect(grown).toEqual(whole);
  expect(grown.bytes).toBe(whole.bytes);
  expect([grown.readOctets, Buffer.from(grown.value(599))]).toEqual([1200, Buffer.from('bc')]);
  expect(() => grown.addRows([RECORD], 0, 1)).toThrow('a batch of 600 rows is full');
});

test('the values of records with a memory of their own are found at once, and those of a shared memory by their places', () => {
  const own = Array.from({ length: 40_000 }, (_, offset) => incoming(Buffer.from(`made-${offset}`), offset));
  const shared = Array.from({ length: 3 }, (_, at) => ({ ...RECORD, offset: own.length + at, valueStart: at }));
  const records = [...own, ...shared, incoming(Buffer.from('last'), own.length + 3)];
  const batch = new FlowBatch(records.length);
  batch.addRows(records, 0, records.length);
  const values = records.map((_, row) => Buffer.from(batch.value(row)).toString());
  expect(values).toEqual([...own.map(({ value }) => Buffer.from(value).toString()), 'abc', 'bc', 'c', 'last']);
  // Its source knows it again.
  expect(batch.value(7)).toBe(own[7].octets);
  expect(() => new FlowBatch(1).value(0)).toThrow('row 0 has no value');
});

test('a value is found as soon among a hundred times the memories', () => {
  const nsWith = (count: number) => {
    const records = Array.from({ length: count }, (_, offset) => incoming(Buffer.from('value'), offset));
    const batch = new FlowBatch(count);
    batch.addRows(records, 0, count);
    return shortestMs(() => records.forEach((_, row) => void batch.value(row))) / count;
  };
  // A search through all of them would take a hundred times as long.
  expect(nsWith(20_000) / nsWith(200)).toBeLessThan(20);
});
