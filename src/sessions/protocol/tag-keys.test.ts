import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { passingClock } from './passing-clock.fixture.ts';
import { keyHintOf } from './session-tag.ts';
import { TagKeys } from './tag-keys.ts';

const jwk = (kid: string) => ({ ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }), kid });

async function started(keys: object[], isAway = false) {
  const state = { keys, fetches: 0, isAway, failures: 0 };
  const clock = passingClock();
  const tagKeys = new TagKeys({
    clock,
    async fetch() {
      state.fetches++;
      if (state.isAway) throw new Error('connect ECONNREFUSED');
      return { keys: state.keys };
    },
    onFailure: () => state.failures++,
  });
  await tagKeys.start();
  const find = async (keyId: string) => tagKeys.find(keyHintOf(keyId));
  /** What a key is found to be, after so much time. */
  const findWithin = async (ms: number, keyId: string) => {
    const found = find(keyId);
    await clock.pass(ms);
    return Promise.race([found, 'nothing yet']);
  };
  return { state, clock, tagKeys, find, findWithin };
}

test('a known key is found without asking again', async () => {
  const { state, find } = await started([jwk('a')]);
  expect(typeof (await find('a'))).toBe('object');
  expect(state.fetches).toBe(1);
});

test('an unknown key makes the keys be fetched at a bounded rate, however many tags name one', async () => {
  const { state, clock, find, findWithin } = await started([jwk('a')]);
  clock.ms += 5000;
  const found = await Promise.all(Array.from({ length: 1000 }, (_, at) => find(`unknown-${at}`)));
  expect(new Set(found)).toEqual(new Set(['unknown']));
  expect(state.fetches).toBe(2);
  const more = Array.from({ length: 1000 }, (_, at) => find(`more-${at}`));
  await clock.pass(4999);
  expect(state.fetches).toBe(2);
  await clock.pass(1);
  expect(new Set(await Promise.all(more))).toEqual(new Set(['unknown']));
  expect(state.fetches).toBe(3);
  state.keys = [jwk('a'), jwk('b')];
  expect(typeof (await findWithin(5000, 'b'))).toBe('object');
  expect(state.fetches).toBe(4);
});

test('a key is not called unknown before the keys were fetched after its tag came, however short ago the last fetch was', async () => {
  const { state, clock, findWithin } = await started([jwk('a')]);
  clock.ms += 10;
  state.keys = [jwk('a'), jwk('b')];
  expect(await findWithin(100, 'b')).toBe('nothing yet');
  expect(typeof (await findWithin(4900, 'b'))).toBe('object');
});

test('keys of a dispatch server that starts after the gateway are there soon, and tags that come meanwhile wait for them', async () => {
  const { state, findWithin } = await started([jwk('a')], true);
  expect(await findWithin(100, 'a')).toBe('nothing yet');
  state.isAway = false;
  expect(typeof (await findWithin(150, 'a'))).toBe('object');
  expect(state.fetches).toBe(2);
});

test('fetches that fail are repeated more and more rarely, at last every 5 s', async () => {
  const { state, clock } = await started([jwk('a')], true);
  await clock.pass(250 + 500 + 1000 + 2000 + 4000);
  expect(state.fetches).toBe(6);
  await clock.pass(50_000);
  expect(state.fetches).toBe(16);
});

test('what waits when the keys are no longer needed has its answer after one last fetch', async () => {
  const { state, clock, tagKeys, find } = await started([jwk('a')]);
  clock.ms += 10;
  state.keys = [jwk('a'), jwk('b')];
  const found = find('b');
  tagKeys.stop();
  expect(typeof (await found)).toBe('object');
  expect(await find('c')).toBe('unknown');
  await clock.pass(1_000_000);
  expect(state.fetches).toBe(2);
});

test('an unreachable dispatch server is reported as that: cached keys verify for an hour and no longer', async () => {
  const { state, clock, find, findWithin } = await started([jwk('a')]);
  state.isAway = true;
  clock.ms += 5000;
  expect(await find('b')).toBe('unreachable');
  expect(state.failures).toBe(1);
  expect(typeof (await find('a'))).toBe('object');
  clock.ms += 3_600_001;
  expect(await findWithin(1, 'a')).toBe('unreachable');
});

test('an answer that is no JWK set leaves the keys as they were', async () => {
  const { state, clock, find } = await started([jwk('a')]);
  state.keys = 'nonsense' as never;
  clock.ms += 5000;
  expect(await find('b')).toBe('unreachable');
  expect(typeof (await find('a'))).toBe('object');
});
