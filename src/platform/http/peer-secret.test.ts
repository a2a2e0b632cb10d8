import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { PeerSecret, readPeerSecret, sharedSecretFault } from './peer-secret.ts';

const [ONE, TWO] = ['a-secret-of-one-proxy', 'the-next-secret-of-it'];
const read = (text: string) => readPeerSecret({ file: '/s' }, {}, () => text);

test('during a rotation the first is sent and both are accepted, and nothing prints', () => {
  const { secret } = read(`${ONE}\n${TWO}\n`) as { secret: PeerSecret };
  expect(secret.reveal()).toBe(ONE);
  expect([ONE, TWO, `${ONE}\n${TWO}`, '', undefined].map((given) => secret.matches(given))).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
  for (const shown of [inspect(secret), JSON.stringify({ secret }), `${secret}`])
    expect(shown).not.toContain('secret-of');
  expect(secret.overlaps(PeerSecret.of(TWO))).toBe(true);
  expect(secret.overlaps(PeerSecret.of('another'))).toBe(false);
});

test.each([
  ['nothing', '\n', /holds no secret/],
  ['a short one', 'short', /too short/],
  ['a short one beside a good one', `${ONE}\nshort`, /too short/],
  ['three', `${ONE}\n${TWO}\n${ONE}x`, /holds 3 lines/],
])('a file with %s is refused', (_, text, fault) => {
  expect(read(text)).toMatchObject({ fault: expect.stringMatching(fault) });
});

test('one place is named, a file or a variable', () => {
  const env = { OWN: ONE };
  expect(readPeerSecret({ variable: 'OWN' }, env, () => '')).toHaveProperty('secret');
  for (const source of [{}, { file: '/s', variable: 'OWN' }]) {
    expect(readPeerSecret(source, env, () => ONE)).toMatchObject({ fault: expect.stringMatching(/either/) });
  }
});

test('the variable that all proxies shared is refused with what to do, unless it is one proxy’s own by name', () => {
  const env = { ZERORATE_PROXY_SECRET: ONE };
  expect(sharedSecretFault(env, ['OTHER', undefined])).toMatch(/no longer read.*proxies\.<id>.*unset/);
  expect(sharedSecretFault(env, ['ZERORATE_PROXY_SECRET'])).toBeNull();
  expect(sharedSecretFault({}, [])).toBeNull();
});
