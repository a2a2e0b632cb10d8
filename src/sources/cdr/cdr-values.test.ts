import { expect, test } from 'vitest';
import type { BerValue } from './ber-value.ts';
import type { CdrMapping } from './cdr-mapping.ts';
import { msisdnOf, msisdnOfText } from './cdr-subscriber.ts';
import { addressOf, digitsOf, integerOf, textOf, timeOf } from './cdr-values.ts';

const value = (hex: string, tag = 0): BerValue => ({
  tag,
  octets: Buffer.from(hex.replaceAll(' ', ''), 'hex'),
  values: [],
});
const inside = (tag: number, ...values: BerValue[]): BerValue => ({ tag, octets: new Uint8Array(0), values });

test.each<[string, number | string]>([
  ['00', 0],
  ['7f', 127],
  ['00 80', 128],
  ['80', -128],
  ['ff ff', -1],
  ['00 ff ff ff ff', 2 ** 32 - 1],
  ['00 00 00 00 05', 5],
  ['1f ff ff ff ff ff ff', 2 ** 53 - 1],
  ['00 ff ff ff ff ff ff ff ff', 2 ** 64],
  ['', 'octets '],
  ['01 00 00 00 00 00 00 00 00 00', 'octets 0x01 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00'],
])('INTEGER %s: %s', (hex, expected) => {
  expect(integerOf(value(hex))).toBe(expected);
});

test.each<[string, string | null]>([
  ['26 11 10 18 15 00 2b 05 45', '2026-11-10T12:30:00Z'],
  ['26 11 10 18 15 00 2d 05 45', '2026-11-11T00:00:00Z'],
  ['28 02 29 00 00 00 2b 00 00', '2028-02-29T00:00:00Z'],
  ['00 01 01 00 00 00 2b 00 00', '2000-01-01T00:00:00Z'],
  ['27 02 29 00 00 00 2b 00 00', null], // no such day
  ['26 13 01 00 00 00 2b 00 00', null],
  ['26 00 01 00 00 00 2b 00 00', null],
  ['26 11 10 24 00 00 2b 00 00', null],
  ['26 11 10 23 60 00 2b 00 00', null],
  ['26 11 1a 00 00 00 2b 00 00', null], // no BCD
  ['26 11 10 00 00 00 20 00 00', null], // no sign
  ['26 11 10 00 00 00 2b 00', null],
])('TimeStamp %s: %s', (hex, expected) => {
  const time = timeOf(value(hex));
  if (expected === null) expect(time).toMatch(/^octets 0x/);
  else expect(time).toBe(Date.parse(expected));
});

const NO_TYPES = { contentTypes: { serviceIdentifiers: {}, ratingGroups: {} } };
const AS_TBCD: CdrMapping = { ...NO_TYPES, msisdnFormat: 'tbcd' };

test.each<[string, string | null, string, CdrMapping]>([
  ['91 99 09 00 10 32 f4', '99900001234', 'an odd number of digits', NO_TYPES],
  ['91 99 09 00 10 32', '9990000123', 'an even one', NO_TYPES],
  ['91 99 09 f1 ff ff', '99901', 'filled up to its size', NO_TYPES],
  ['81 99 09 00 10 32', null, 'of an unknown nature', NO_TYPES],
  ['92 99 09 00 10 32', null, 'of another numbering plan', NO_TYPES],
  ['99 09 00 00 00 10', null, 'TBCD alone', NO_TYPES],
  ['a1 99 09 00 10 32', null, 'a national number without a country code', NO_TYPES],
  ['a1 99 09 00 10 32', '499990000123', 'a national number', { ...NO_TYPES, countryCode: '49' }],
  ['a1 90 19 00', null, 'a national number with its trunk prefix', { ...NO_TYPES, countryCode: '49' }],
  [
    '91 91 55 15 32',
    null,
    'TBCD of a number of country code 1',
    { ...NO_TYPES, countryCode: '1', msisdnFormat: 'tbcd' },
  ],
  ['91 91 55 15 32 f4', null, 'TBCD that is nine digits as an address string', { ...NO_TYPES, countryCode: '1' }],
  ['11 99 09', null, 'without the extension bit', NO_TYPES],
  ['', null, 'nothing', NO_TYPES],
  ['91', null, 'no digits', NO_TYPES],
  ['91 9a', null, 'signs', NO_TYPES],
  ['91 9f f9', null, 'filler before the end', NO_TYPES],
  ['91 90 99', null, 'a first digit of 0', NO_TYPES],
  ['99 09 00 00 00 10', '999000000001', 'TBCD', AS_TBCD],
  ['91 99 09 00 00 00 10', null, 'an address string', AS_TBCD],
  ['91 91 55 15 32 f4', '19195551234', 'a number of country code 1', { ...AS_TBCD, countryCode: '1' }],
])('MSISDN %s: %s, %s', (hex, digits, _, mapping) => {
  const { text, fault } = msisdnOf(Buffer.from(hex.replaceAll(' ', ''), 'hex'), mapping);
  expect(fault === undefined ? text : null).toBe(digits);
  expect(fault?.reason ?? 'invalid_msisdn').toBe('invalid_msisdn');
});

test.each<[string, string | null]>([
  ['999000000001', '999000000001'],
  ['tel:+999-000-000001', '999000000001'],
  ['msisdn-999000000001', '999000000001'],
  ['sip:+999000000001@ims.example;user=phone', '999000000001'],
  ['tel:7042;phone-context=example.com', null],
  ['0999000000001', null],
  ['imsi-001010000000001', null],
])('a user identifier %s: %s', (text, digits) => {
  const { text: msisdn, fault } = msisdnOfText(text);
  expect(fault === undefined ? msisdn : null).toBe(digits);
});

test('an IMSI is digits alone', () => {
  expect(digitsOf(value('00 01 01 00 00 00 00 f7'))).toBe('001010000000007');
});

test.each<[string, BerValue, string]>([
  ['IPv4', inside(9, inside(0, value('0a 14 00 07', 0))), '10.20.0.7'],
  ['IPv6', inside(9, inside(0, value('20010db8000700000000000000000001', 1))), '2001:db8:7::1'],
  [
    'IPv6 with a prefix',
    inside(9, inside(0, inside(4, value('20010db8000700000000000000000001', -1), value('38', -1)))),
    '2001:db8:7::1',
  ],
  ['IPv4 in letters', inside(9, inside(0, value('31 30 2e 32 30 2e 30 2e 37', 2))), '10.20.0.7'],
  ['IPv6 in four letters', inside(9, inside(0, value('3a 3a 31 32', 3))), '::12'],
  ['no address', inside(9, inside(0, value('0a 14', 0))), 'octets 0x0a 0x14'],
])('an address: %s', (_, address, expected) => {
  expect(addressOf(address)).toBe(expected);
});

test('a string in parts is all of them', () => {
  expect(textOf(inside(25, value('63 68', -1), inside(-1, value('61', -1), value('74', -1))))).toBe('chat');
  expect(timeOf(inside(5, value('26 11 10', -1), value('18 15 00 2b 00 00', -1)))).toBe(Date.UTC(2026, 10, 10, 18, 15));
});

test('a text is UTF-8, or shows its octets', () => {
  expect(textOf(value('63 68 c3 a4 74'))).toBe('chät');
  expect(textOf(value('ff fe'))).toBe('octets 0xff 0xfe');
});
