import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { duplexPair } from '../duplex-pair.fixture.ts';
import {
  acceptSocks5,
  parseSocks5Credentials,
  parseSocks5Greeting,
  parseSocks5Request,
  socks5Reply,
} from './socks5.ts';

const text = (value: string) => [value.length, ...Buffer.from(value)];
const GREETING = [5, 2, 0, 2];
const CREDENTIALS = [1, ...text('user'), ...text('password')];
const REQUEST = [5, 1, 0, 3, ...text('media.chat.example'), 0x01, 0xbb];

test.each([
  ['a name', [3, ...text('chat.example'), 0x01, 0xbb], { host: 'chat.example', port: 443 }],
  ['IPv4', [1, 192, 0, 2, 1, 0, 80], { host: '192.0.2.1', port: 80 }],
  ['IPv6', [4, 0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), 1, 0, 80], { host: '2001:db8:0:0:0:0:0:1', port: 80 }],
])('a request for %s', (_, address, value) => {
  for (const [code, command] of [
    [1, 'connect'],
    [3, 'udp_associate'],
  ] as const) {
    const octets = Buffer.from([5, code, 0, ...address]);
    expect(parseSocks5Request(octets)).toEqual({ value: { command, destination: value }, length: octets.length });
  }
});

test.each([
  ['another version', [4, 1, 0, 1, 0], 'general_failure'],
  ['BIND', [5, 2, 0, 1, 0], 'command_not_supported'],
  ['an address of no kind', [5, 1, 0, 9, 0], 'address_not_supported'],
  ['a name without a letter', [5, 1, 0, 3, 0], 'general_failure'],
])('%s is refused', (_, octets, fault) => {
  expect(parseSocks5Request(Buffer.from(octets))).toEqual({ fault });
});

test.each([
  ['greeting', parseSocks5Greeting, GREETING],
  ['credentials', parseSocks5Credentials, CREDENTIALS],
  ['request', parseSocks5Request, REQUEST],
] as const)('a %s is waited for until it is whole, and no longer', (_, parse, message) => {
  for (let length = 0; length < message.length; length++)
    expect(parse(Buffer.from(message.slice(0, length)))).toBeNull();
  expect(parse(Buffer.from([...message, 9, 9]))).toMatchObject({ length: message.length });
});

test.each([
  ['greeting', parseSocks5Greeting],
  ['credentials', parseSocks5Credentials],
  ['request', parseSocks5Request],
] as const)('whatever octets come as a %s, they are decided within 513, and within what is there', (_, parse) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (octets) => {
      const parsed = parse(Buffer.from(octets));
      if (parsed === null) expect(octets.length).toBeLessThan(513);
      else if (parsed.value !== undefined) expect(parsed.length).toBeLessThanOrEqual(octets.length);
    }),
  );
});

test('a conversation goes through however it is cut into pieces, and what comes behind it stays', async () => {
  const whole = Buffer.from([...GREETING, ...CREDENTIALS, ...REQUEST, ...Buffer.from('hello')]);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: whole.length - 1 }), { maxLength: 8 }), async (cuts) => {
      const [client, server] = duplexPair();
      const accepted = acceptSocks5(server, (credentials) => credentials);
      const ends = [...new Set(cuts)].sort((a, b) => a - b);
      for (const [at, end] of [...ends, whole.length].entries()) client.write(whole.subarray(ends[at - 1] ?? 0, end));
      expect(await accepted).toEqual({
        client: { user: 'user', password: 'password' },
        command: 'connect',
        destination: { host: 'media.chat.example', port: 443 },
      });
      server.write(socks5Reply('succeeded'));
      client.end();
      let behind = '';
      for await (const chunk of server) behind += chunk;
      expect(behind).toBe('hello');
      expect([...(client.read() as Buffer)]).toEqual([5, 2, 1, 0, ...socks5Reply('succeeded')]);
    }),
  );
});

test.each([
  ['offers no password', [5, 1, 0], [5, 0xff]],
  ['has another password', [...GREETING, 1, ...text('user'), ...text('guess')], [5, 2, 1, 1]],
  ['speaks HTTP', [...Buffer.from('GET / HTTP/1.1\r\n\r\n')], []],
  [
    'wants to listen',
    [...GREETING, ...CREDENTIALS, 5, 2, 0, 1, 0, 0, 0, 0, 0, 0],
    [5, 2, 1, 0, ...socks5Reply('command_not_supported')],
  ],
])('a client that %s is turned away', async (_, octets, answer) => {
  const [client, server] = duplexPair();
  client.write(Buffer.from(octets));
  expect(await acceptSocks5(server, ({ password }) => (password === 'password' ? 1 : null))).toBeNull();
  server.end();
  const chunks: Buffer[] = [];
  for await (const chunk of client) chunks.push(chunk);
  expect([...Buffer.concat(chunks)]).toEqual(answer);
});

test('a client that breaks off is none', async () => {
  const [client, server] = duplexPair();
  client.end(Buffer.from([5]));
  expect(await acceptSocks5(server, () => 1)).toBeNull();
});
