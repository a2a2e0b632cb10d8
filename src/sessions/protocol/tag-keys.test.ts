import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Clock } from '../../platform/clock.ts';
import { keyHintOf } from './session-tag.ts';
import { TagKeys } from './tag-keys.ts';

const jwk = (kid: string) => ({ ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }), kid });

function testClock(): Clock & { ms: number; fire: () => void } {
  const clock = {
    ms: 1000,
    fire: () => {},
    nowMs: () => clock.ms,
    monotonicMs: () => clock.ms,
    sleep: async () => {},
    after(_ms: number, call: () => void) {
      clock.fire = call;
      return () => {};
    },
  };
  return clock;
}

async function started(keys: object[]) {
  const state = { keys, fetches: 0, isAway: false, failures: 0 };
  const clock = testClock();
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
  return { state, clock, find: async (keyId: string) => tagKeys.find(keyHintOf(keyId)) };
}

test('a known key is found without asking again', async () => {
  const { state, find } = await started([jwk('a')]);
  expect(typeof (await find('a'))).toBe('object');
  expect(state.fetches).toBe(1);
});

test('an unknown key makes the keys be fetched at a bounded rate, however many tags name one', async () => {
  const { state, clock, find } = await started([jwk('a')]);
  clock.ms += 5000;
  const found = await Promise.all(Array.from({ length: 1000 }, (_, at) => find(`unknown-${at}`)));
  expect(new Set(found)).toEqual(new Set(['unknown']));
  for (let at = 0; at < 1000; at++) await find(`more-${at}`);
  expect(state.fetches).toBe(2);
  state.keys = [jwk('a'), jwk('b')];
  clock.ms += 5000;
  expect(typeof (await find('b'))).toBe('object');
  expect(state.fetches).toBe(3);
});

test('an unreachable dispatch server is reported as that: cached keys verify for an hour and no longer', async () => {
  const { state, clock, find } = await started([jwk('a')]);
  state.isAway = true;
  clock.ms += 5000;
  expect(await find('b')).toBe('unreachable');
  expect(state.failures).toBe(1);
  expect(typeof (await find('a'))).toBe('object');
  clock.ms += 3_600_001;
  expect(await find('a')).toBe('unreachable');
});

test('an answer that is no JWK set leaves the keys as they were', async () => {
  const { state, clock, find } = await started([jwk('a')]);
  state.keys = 'nonsense' as never;
  clock.ms += 5000;
  expect(await find('b')).toBe('unreachable');
  expect(typeof (await find('a'))).toBe('object');
});
