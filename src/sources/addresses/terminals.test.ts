import { expect, test } from 'vitest';
import { Terminals } from './terminals.ts';

const HEADER = 'prefix,from,to,msisdn\n';
const parsed = (lines: string) => {
  const terminals = Terminals.parse(HEADER + lines);
  if (!(terminals instanceof Terminals)) throw new Error(terminals.join('\n'));
  return terminals;
};

test('an address is whose it was at the time, by the longest prefix', () => {
  const terminals = parsed(
    '10.0.0.7,2026-11-01T00:00:00Z,2026-11-01T10:00:00+02:00,999000000001\n' +
      '10.0.0.7,2026-11-01T08:00:00Z,,999000000002\r\n' +
      '10.0.0.0/24,2026-11-01T00:00:00Z,,999000000003\n' +
      '\n' +
      '2001:db8:7::/56,2026-11-01T00:00:00Z,,999000000004\n',
  );
  const at = (address: string, time: string) => terminals.msisdnOf(address, Date.parse(time));
  expect(at('10.0.0.7', '2026-11-01T00:00:00Z')).toBe('999000000001');
  expect(at('10.0.0.7', '2026-11-01T07:59:59.999Z')).toBe('999000000001');
  expect(at('10.0.0.7', '2026-11-01T08:00:00Z')).toBe('999000000002');
  expect(at('::ffff:10.0.0.7', '2026-11-01T08:00:00Z')).toBe('999000000002');
  expect(at('10.0.0.8', '2026-11-01T08:00:00Z')).toBe('999000000003');
  expect(at('10.0.0.7', '2026-10-31T23:59:59.999Z')).toBe(null);
  expect(at('10.0.1.7', '2026-11-01T08:00:00Z')).toBe(null);
  expect(at('2001:db8:7:ff::1', '2026-11-01T08:00:00Z')).toBe('999000000004');
  expect(at('no address', '2026-11-01T08:00:00Z')).toBe(null);
});

test('what cannot be read is reported by line, all at once', () => {
  expect(Terminals.parse('address,msisdn\n')).toEqual(['1: expected the header line prefix,from,to,msisdn']);
  const lines = [
    '10.0.0.256,2026-11-01T00:00:00Z,,1',
    '10.0.0.1,2026-11-01T00:00:00,,1',
    '10.0.0.1,2026-11-01T00:00:00Z,2026-11-01T00:00:00Z,1',
    '10.0.0.1,2026-11-01T00:00:00Z,,+49',
    '10.0.0.1,2026-11-01T00:00:00Z,1',
    '10.0.0.2,2026-11-02T00:00:00Z,,2',
    '10.0.0.2,2026-11-01T00:00:00Z,2026-11-02T00:00:01Z,1',
  ];
  expect(Terminals.parse(HEADER + lines.join('\n'))).toEqual([
    '2: prefix "10.0.0.256" is no address and no network',
    '3: from and to are times with their offset, as 2026-01-31T00:00:00Z',
    '4: to 2026-11-01T00:00:00Z is not after from 2026-11-01T00:00:00Z',
    '5: msisdn begins with +; set msisdn.acceptPlus to read it, or write the digits alone',
    '6: expected prefix,from,to,msisdn',
    '7: the session begins before that of line 8 has ended',
  ]);
});

test('an address changes hands between sessions, and between nested networks', () => {
  const terminals = Terminals.parse(
    [
      'prefix,from,to,msisdn',
      '10.0.0.0/24,2026-01-01T00:00:00Z,,1',
      '10.0.0.7,2026-01-01T10:00:00Z,2026-01-01T11:00:00Z,2',
      '10.0.0.9,2026-01-01T10:00:00Z,2026-01-01T11:00:00Z,1',
      '10.0.1.7,2026-01-01T10:00:00Z,2026-01-01T11:00:00Z,1',
      '10.0.1.7,2026-01-01T12:00:00Z,2026-01-01T13:00:00Z,2',
    ].join('\n'),
  ) as Terminals;
  const changes = (address: string, from: string, to: string) =>
    terminals.changedHands(address, Date.parse(`2026-01-01T${from}Z`), Date.parse(`2026-01-01T${to}Z`));
  expect(changes('10.0.0.7', '09:00:00', '09:59:59')).toBe(false);
  expect(changes('10.0.0.7', '09:00:00', '10:00:00')).toBe(true);
  expect(changes('10.0.0.7', '09:00:00', '12:00:00')).toBe(true);
  expect(changes('10.0.0.7', '10:00:00', '10:59:59')).toBe(false);
  expect(changes('10.0.0.7', '10:59:59', '11:00:00')).toBe(true);
  expect(changes('10.0.0.9', '09:00:00', '12:00:00')).toBe(false);
  expect(changes('10.0.1.7', '10:30:00', '11:59:59')).toBe(false);
  expect(changes('10.0.1.7', '09:00:00', '14:00:00')).toBe(true);
  expect(changes('10.0.1.7', '11:30:00', '12:30:00')).toBe(false);
  expect(changes('no address', '09:00:00', '14:00:00')).toBe(false);
});
