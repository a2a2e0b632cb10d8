import { expect, test } from 'vitest';
import { createTotals } from '../../src/generator/generated-totals.ts';
import { chargeMicrosOf, datasetOptions } from './dataset.ts';
import { assertSameWork } from './same-work.ts';

const made = {
  ...createTotals().read(),
  records: 5,
  tagged: 2,
  ipMatched: 1,
  uplinkOctets: 10,
  downlinkOctets: 20,
  valueBytes: 450,
  chargeMicros: 7,
};
const totals = { records: 5, octets: 30, charged: 3, valueBytes: 450, chargeMicros: 7 };

test('a side that counts what was produced did the work', () => {
  assertSameWork('side', totals, made);
  assertSameWork('side', { records: 5 }, made);
});

test.each(Object.keys(totals))('a side whose %s differ did other work', (name) => {
  expect(() => assertSameWork('side', { ...totals, [name]: 6 }, made)).toThrow(`side: ${name}`);
});

test('a fraction of an octet-price is rounded for each record, and the same records cost the same', () => {
  const options = datasetOptions({ seed: 1, records: 300, subscribers: 10 });
  const micros = chargeMicrosOf(options);
  expect(micros).toBeGreaterThan(0);
  expect(Number.isSafeInteger(micros)).toBe(true);
  expect(chargeMicrosOf(options)).toBe(micros);
});
