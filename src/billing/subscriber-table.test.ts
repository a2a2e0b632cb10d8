import { expect, test } from 'vitest';
import { pseudonymOf } from './pseudonym.ts';
import { SubscriberTable } from './subscriber-table.ts';

const KEY = Buffer.alloc(32, 1);

test('subscribers keep their numbers over growth, by MSISDN and by pseudonym alike', () => {
  const table = new SubscriberTable((msisdn) => pseudonymOf(msisdn, KEY));
  const msisdns = Array.from({ length: 5000 }, (_, index) => String(491_700_000_000 + index * 7));
  // Half of them are first met as a pseudonym, as a recovery does.
  const numbers = msisdns.map((msisdn, index) =>
    index % 2 === 0 ? table.ofMsisdn(msisdn) : table.ofPseudonym(pseudonymOf(msisdn, KEY)),
  );
  expect(numbers).toEqual(msisdns.map((_, index) => index));
  expect(msisdns.map((msisdn) => table.ofMsisdn(msisdn))).toEqual(numbers);
  expect(table.count).toBe(msisdns.length);
  msisdns.forEach((msisdn, index) => {
    expect(Buffer.from(table.pseudonym(index)).toString('hex')).toBe(pseudonymOf(msisdn, KEY).toString('hex'));
  });
});

test('leading zeros and lengths make other subscribers', () => {
  const table = new SubscriberTable((msisdn) => pseudonymOf(msisdn, KEY));
  const msisdns = ['1', '01', '001', '0', '00', '999999999999999', '099999999999999', '000000000000000'];
  expect(new Set(msisdns.map((msisdn) => table.ofMsisdn(msisdn))).size).toBe(msisdns.length);
});
