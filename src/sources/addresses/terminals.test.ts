import fc from 'fast-check';
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
  const at = (address: string, time: string) => terminals.msisdnOf({ address, port: null }, Date.parse(time));
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
  expect(Terminals.parse('address,msisdn\n')).toEqual([
    '1: expected the header line prefix,from,to,msisdn or prefix,ports,from,to,msisdn',
  ]);
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
    terminals.changedHands({ address, port: null }, Date.parse(`2026-01-01T${from}Z`), Date.parse(`2026-01-01T${to}Z`));
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

const WITH_PORTS = 'prefix,ports,from,to,msisdn\n';

test('a shared address is whose block the port is in; without a port, or out of all blocks, its owner is unknown', () => {
  const terminals = Terminals.parse(
    WITH_PORTS +
      [
        '198.51.100.7,1024-2047,2026-01-01T00:00:00Z,,1',
        '198.51.100.7,2048-4095,2026-01-01T00:00:00Z,2026-01-01T12:00:00Z,2',
        '198.51.100.7,2048-3071,2026-01-01T12:00:00Z,,3',
        '198.51.100.8,,2026-01-01T00:00:00Z,2026-01-01T12:00:00Z,4',
        '198.51.100.8,5000,2026-01-01T12:00:00Z,,5',
        '198.51.100.0/24,,2026-01-01T00:00:00Z,,6',
      ].join('\n'),
  ) as Terminals;
  const at = (address: string, port: number | null, time: string) =>
    terminals.msisdnOf({ address, port }, Date.parse(`2026-01-01T${time}Z`));
  const seven = (port: number | null, time = '06:00:00') => at('198.51.100.7', port, time);
  expect([1023, 1024, 2047, 2048, 4095, 4096].map((port) => seven(port))).toEqual([null, '1', '1', '2', '2', null]);
  expect([2047, 2048, 3071, 3072].map((port) => seven(port, '12:00:00'))).toEqual(['1', '3', '3', null]);
  expect([seven(null), seven(2048, '11:59:59.999')]).toEqual([null, '2']);
  expect(at('198.51.100.7', 1024, '00:00:00')).toBe('1');
  expect([at('198.51.100.8', null, '11:00:00'), at('198.51.100.8', 5000, '11:00:00')]).toEqual(['4', '4']);
  expect([null, 4999, 5000].map((port) => at('198.51.100.8', port, '13:00:00'))).toEqual([null, null, '5']);
  expect(at('198.51.100.9', 5000, '13:00:00')).toBe('6');
  expect(terminals.isShared('198.51.100.7', Date.parse('2025-12-31T00:00:00Z'))).toBe(false);
  expect(['198.51.100.7', '198.51.100.9'].map((each) => terminals.isShared(each, Date.UTC(2026, 0, 2)))).toEqual([
    true,
    false,
  ]);
});

test('a block of a shared address changes hands by itself', () => {
  const terminals = Terminals.parse(
    WITH_PORTS +
      [
        '198.51.100.7,1024-2047,2026-01-01T00:00:00Z,2026-01-01T12:00:00Z,1',
        '198.51.100.7,1024-1535,2026-01-01T12:00:00Z,,2',
        '198.51.100.7,1536-2047,2026-01-01T12:00:00Z,,1',
      ].join('\n'),
  ) as Terminals;
  const [fromMs, toMs] = [Date.parse('2026-01-01T11:00:00Z'), Date.parse('2026-01-01T13:00:00Z')];
  const changes = (port: number | null) => terminals.changedHands({ address: '198.51.100.7', port }, fromMs, toMs);
  expect([1024, 1535, 1536, 2048, null].map(changes)).toEqual([true, true, false, false, false]);
});

test('blocks that cannot be read, or that have ports in common at one time, are refused by line', () => {
  const lines = [
    '198.51.100.7,1024-2047,2026-01-01T00:00:00Z,2026-01-01T12:00:00Z,1',
    '198.51.100.7,2047-3000,2026-01-01T11:00:00Z,,2',
    '198.51.100.7,2000-2047,2026-01-01T12:00:00Z,,3',
    '198.51.100.7,0-1023,2026-01-01T00:00:00Z,,4',
    '198.51.100.7,2000-65536,2026-01-01T00:00:00Z,,4',
    '198.51.100.8,,2026-01-01T00:00:00Z,,5',
    '198.51.100.8,2000-2047,2026-01-01T00:00:00Z,,6',
    '198.51.100.8,2026-01-01T00:00:00Z,,6',
  ];
  const remedy = 'has ended, and both have ports in common: end it, or give them blocks apart';
  expect(Terminals.parse(WITH_PORTS + lines.join('\n'))).toEqual([
    '5: ports "0-1023" are no block from 1 to 65535, as 1024-2047',
    '6: ports "2000-65536" are no block from 1 to 65535, as 1024-2047',
    '9: expected prefix,ports,from,to,msisdn',
    `3: the session begins before that of line 2 ${remedy}`,
    `4: the session begins before that of line 3 ${remedy}`,
    `8: the session begins before that of line 7 ${remedy}`,
  ]);
});

test('blocks give what a scan of all lines gives, at every border', () => {
  const seed = Number(process.env.ADDRESS_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
  process.stdout.write(`drawn with ADDRESS_FUZZ_SEED=${seed}\n`);
  const HOUR_MS = 3_600_000;
  const lease = fc.record({
    address: fc.constantFrom('198.51.100.7', '198.51.100.0/24', '2001:db8::7'),
    first: fc.integer({ min: 1, max: 6 }),
    ports: fc.option(fc.integer({ min: 0, max: 3 })),
    from: fc.nat(6),
    hours: fc.integer({ min: 1, max: 4 }),
    msisdn: fc.constantFrom('1', '2', '3'),
  });
  let [accepted, found] = [0, 0];
  fc.assert(
    fc.property(fc.array(lease, { maxLength: 6 }), (leases) => {
      const spans = leases.map(({ first, ports, ...rest }) =>
        ports === null
          ? { ...rest, first: 1, last: 65_535, isWhole: true }
          : { ...rest, first, last: first + ports, isWhole: false },
      );
      const lines = spans.map(({ address, first, last, isWhole, from, hours, msisdn }) =>
        [
          address,
          isWhole ? '' : `${first}-${last}`,
          ...[from, from + hours].map((at) => new Date(at * HOUR_MS).toISOString()),
          msisdn,
        ].join(),
      );
      const isClash = spans.some((a, i) =>
        spans
          .slice(0, i)
          .some(
            (b) =>
              a.address === b.address &&
              a.first <= b.last &&
              b.first <= a.last &&
              a.from < b.from + b.hours &&
              b.from < a.from + a.hours,
          ),
      );
      const terminals = Terminals.parse(WITH_PORTS + lines.join('\n'));
      expect(terminals instanceof Terminals).toBe(!isClash);
      if (!(terminals instanceof Terminals)) return;
      accepted++;
      for (const address of ['198.51.100.7', '198.51.100.8', '2001:db8::7']) {
        for (let at = 0; at <= 11; at++) {
          for (const timeMs of [at * HOUR_MS - 1, at * HOUR_MS]) {
            for (const port of [null, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
              const inForce = (network: string) =>
                spans.filter(
                  (span) =>
                    span.address === network &&
                    span.from * HOUR_MS <= timeMs &&
                    timeMs < (span.from + span.hours) * HOUR_MS,
                );
              const own = inForce(address);
              const all = own.length > 0 || !address.startsWith('198.51.100.') ? own : inForce('198.51.100.0/24');
              const holder = all.find(
                ({ isWhole, first, last }) => isWhole || (port !== null && port >= first && port <= last),
              );
              expect(terminals.msisdnOf({ address, port }, timeMs)).toBe(holder?.msisdn ?? null);
              if (holder !== undefined) found++;
            }
          }
        }
      }
    }),
    { seed, numRuns: 200 },
  );
  expect(Math.min(accepted, found)).toBeGreaterThan(20);
});
