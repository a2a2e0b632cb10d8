import { expect, test } from 'vitest';
import { LogRecord } from './log-record.ts';

const LIMIT = 10;

function recordOf(value: string, key: string | null): LogRecord {
  const octets = Buffer.from(`${key ?? ''}${value}${' '.repeat(1 << 20)}`);
  const keyEnd = key === null ? -1 : key.length;
  const valueStart = Math.max(0, keyEnd);
  return new LogRecord(7, 1000, octets, key === null ? -1 : 0, keyEnd, valueStart, valueStart + value.length);
}

test.each([
  ['with a key', '4917'],
  ['with an empty key', ''],
  ['without a key', null],
])(
  'of a larger value its first octets are kept, its true length, and not the fetch that brought it: %s',
  (_case, key) => {
    const cut = recordOf('0123456789ab', key).cutTo(LIMIT);
    const { offset, timestampMs, oversizedOctets } = cut;
    expect({ offset, timestampMs, oversizedOctets }).toEqual({ offset: 7, timestampMs: 1000, oversizedOctets: 12 });
    expect(Buffer.from(cut.value).toString()).toBe('0123456789');
    expect(cut.key === null ? null : Buffer.from(cut.key).toString()).toBe(key);
    expect(cut.octets.buffer.byteLength).toBeLessThanOrEqual(1 << 16);
  },
);

test('a value of the limit is left where it is', () => {
  const record = recordOf('0123456789', '4917');
  expect(record.cutTo(LIMIT)).toBe(record);
  expect(record.oversizedOctets).toBe(0);
});
