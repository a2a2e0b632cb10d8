import type { KafkaMessage } from 'kafkajs';
import { expect, test } from 'vitest';
import { rawRecords } from './kafka-record.ts';

function message(offset: number, value: Buffer | null, key: Buffer | null = Buffer.from('k')): KafkaMessage {
  return { offset: String(offset), timestamp: '1796083200123', key, value, attributes: 0, headers: {} };
}

const oneRecord = (message: KafkaMessage, maxOctets: number) => [...rawRecords([message], 0, maxOctets)][0];

test('a message becomes a raw record', () => {
  expect(oneRecord(message(9_007_199_254_740_990, Buffer.from('abc')), 3)).toEqual({
    offset: 9_007_199_254_740_990,
    timestampMs: 1_796_083_200_123,
    key: Buffer.from('k'),
    value: Buffer.from('abc'),
  });
});

test('a message without a key, and a tombstone', () => {
  expect(oneRecord(message(1, null, null), 3)).toMatchObject({ key: null, value: new Uint8Array(0) });
});

test('a larger value is cut and says its true size', () => {
  expect(oneRecord(message(1, Buffer.from('abcd')), 3)).toMatchObject({
    value: Buffer.from('abc'),
    oversizedOctets: 4,
  });
});

test('messages before the position are left out', () => {
  const messages = [4, 5, 7].map((offset) => message(offset, Buffer.from('x')));
  expect([...rawRecords(messages, 5, 3)].map(({ offset }) => offset)).toEqual([5, 7]);
});
