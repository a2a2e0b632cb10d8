import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PseudonymKey, SubscriberTable } from './subscribers.ts';

const KEY = PseudonymKey.ofRoot(Buffer.alloc(32, 1));

test('subscribers keep their numbers over growth, by MSISDN and by pseudonym alike', () => {
  const table = new SubscriberTable((msisdn) => KEY.pseudonymOf(msisdn));
  const msisdns = Array.from({ length: 5000 }, (_, index) => String(491_700_000_000 + index * 7));
  // Half of them are first met as a pseudonym, as a recovery does.
  const numbers = msisdns.map((msisdn, index) =>
    index % 2 === 0 ? table.ofMsisdn(msisdn) : table.ofPseudonym(KEY.pseudonymOf(msisdn)),
  );
  expect(numbers).toEqual(msisdns.map((_, index) => index));
  expect(msisdns.map((msisdn) => table.ofMsisdn(msisdn))).toEqual(numbers);
  expect(table.count).toBe(msisdns.length);
  msisdns.forEach((msisdn, index) => {
    expect(Buffer.from(table.pseudonym(index)).toString('hex')).toBe(KEY.pseudonymOf(msisdn).toString('hex'));
  });
});

test('subscribers keep their numbers where room was made for more', () => {
  const table = new SubscriberTable((msisdn) => KEY.pseudonymOf(msisdn));
  const msisdns = Array.from({ length: 1500 }, (_, index) => String(491_700_000_000 + index * 7));
  const numbers = msisdns.map((msisdn) => table.ofMsisdn(msisdn));
  for (const room of [1, 1500, 2049, 100_000]) {
    table.reserve(room);
    expect(msisdns.map((msisdn) => table.ofPseudonym(KEY.pseudonymOf(msisdn)))).toEqual(numbers);
  }
  expect(table.count).toBe(msisdns.length);
});

test('leading zeros and lengths make other subscribers', () => {
  const table = new SubscriberTable((msisdn) => KEY.pseudonymOf(msisdn));
  const msisdns = ['1', '01', '001', '0', '00', '999999999999999', '099999999999999', '000000000000000'];
  expect(new Set(msisdns.map((msisdn) => table.ofMsisdn(msisdn))).size).toBe(msisdns.length);
});

test('pseudonyms that share most of their bits keep apart, as in a map', () => {
  // Eight places for any number of them: every look-up has to walk past others.
  const pseudonym = fc
    .tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 3000 }))
    .map(([first, last]) => Uint8Array.from([first, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last & 0xff, last >> 8]));
  fc.assert(
    fc.property(fc.array(pseudonym, { minLength: 200, maxLength: 1500 }), (list) => {
      const table = new SubscriberTable(() => new Uint8Array(16));
      const map = new Map<string, number>();
      for (const octets of list) {
        const name = octets.join();
        const expected = map.get(name) ?? map.size;
        map.set(name, expected);
        expect(table.ofPseudonym(octets)).toBe(expected);
      }
      expect(table.count).toBe(map.size);
      for (const [name, index] of map) expect(table.pseudonym(index).join()).toBe(name);
    }),
    { numRuns: 20 },
  );
});
