import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseSocks5Datagram, socks5Datagram } from './socks5-datagram.ts';

const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);

test.each([
  ['a name', { host: 'voice.chat.example', port: 3478 }, 3 + 1 + 1 + 18 + 2],
  ['IPv4', { host: '192.0.2.1', port: 65_535 }, 10],
  ['IPv6', { host: '2001:db8:0:0:0:0:0:1', port: 0 }, 22],
])('to %s and back, with the header that RFC 1928 has', (_, peer, headerBytes) => {
  const payload = Buffer.from('hello');
  const octets = socks5Datagram({ peer, payload });
  expect(octets.length).toBe(headerBytes + payload.length);
  expect([...octets.subarray(0, 3)]).toEqual([0, 0, 0]);
  expect(parseSocks5Datagram(octets)).toEqual({ peer, payload });
});

test.each([
  ['::1', '0:0:0:0:0:0:0:1'],
  ['::', '0:0:0:0:0:0:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0:0:0:0:1'],
  ['::ffff:192.0.2.1', '0:0:0:0:0:ffff:c000:201'],
  ['2001:db8::', '2001:db8:0:0:0:0:0:0'],
  ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
])('the address %s is sixteen octets', (host, expected) => {
  const octets = socks5Datagram({ peer: { host, port: 1 }, payload: Buffer.alloc(0) });
  expect(parseSocks5Datagram(octets)).toMatchObject({ peer: { host: expected, port: 1 } });
});

test.each<[string, number[], string]>([
  ['a fragment', [0, 0, 1, 1, 127, 0, 0, 1, 0, 80, 65], 'fragmented'],
  ['the last fragment', [0, 0, 0x82, 1, 127, 0, 0, 1, 0, 80, 65], 'fragmented'],
  ['reserved octets that are set', [0, 1, 0, 1, 127, 0, 0, 1, 0, 80, 65], 'malformed'],
  ['no octets', [], 'malformed'],
  ['an address of no kind', [0, 0, 0, 9, 1, 2, 3, 4, 0, 80], 'malformed'],
  ['half an address', [0, 0, 0, 4, 1, 2, 3, 4, 0, 80], 'malformed'],
  ['a name that is longer than the datagram', [0, 0, 0, 3, 255, 65, 65], 'malformed'],
  ['a name without a letter', [0, 0, 0, 3, 0, 0, 80, 65], 'malformed'],
])('%s is refused', (_, octets, fault) => {
  expect(parseSocks5Datagram(Buffer.from(octets))).toEqual({ fault });
});

test(`whatever octets come (seed ${SEED}), the payload is what is behind the header`, () => {
  const prefix = fc.constantFrom([0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 3], [0, 0, 0, 4], []);
  fc.assert(
    fc.property(prefix, fc.uint8Array({ maxLength: 400 }), (start, rest) => {
      const octets = Buffer.from([...start, ...rest]);
      const parsed = parseSocks5Datagram(octets);
      if (parsed.fault !== undefined) return;
      const again = socks5Datagram({ peer: parsed.peer, payload: parsed.payload });
      // A name may hold what looks like an address: that is written shorter, and the payload is the same.
      expect(again.subarray(again.length - parsed.payload.length)).toEqual(parsed.payload);
      expect(octets.subarray(octets.length - parsed.payload.length)).toEqual(parsed.payload);
    }),
    { seed: SEED, numRuns: 5000 },
  );
});
