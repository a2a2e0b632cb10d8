import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK } from 'jose';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Clock } from '../../platform/clock.ts';
import { DispatchKeySet } from './dispatch-key-set.ts';

const JUST_LONG_ENOUGH_MS = 5000;
let directory: string;
let nowMs: number;
let fetches: number;
let answer: () => Promise<unknown>;

const clock: Clock = {
  nowMs: () => nowMs,
  monotonicMs: () => nowMs,
  sleep: async () => {},
  after: () => () => {},
};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'zerorate-keys-'));
  nowMs = 0;
  fetches = 0;
});
afterEach(() => rmSync(directory, { recursive: true }));

async function jwks(...keyIds: string[]) {
  const { publicKey } = generateKeyPairSync('ed25519');
  const jwk = await exportJWK(publicKey);
  return { keys: keyIds.map((kid) => ({ ...jwk, kid, alg: 'EdDSA' })) };
}

async function started(): Promise<DispatchKeySet> {
  const fetch = () => {
    fetches++;
    return answer();
  };
  const keys = new DispatchKeySet({
    path: join(directory, 'keys.json'),
    fetch,
    clock,
    logger: pino({ level: 'silent' }),
  });
  await keys.start();
  return keys;
}

const find = (keys: DispatchKeySet, kid: string) => keys.getKey({ alg: 'EdDSA', kid }, { payload: '', signature: '' });

test('keys are kept: a start without the dispatch server has them', async () => {
  const set = await jwks('key-1');
  answer = async () => set;
  await find(await started(), 'key-1');
  answer = () => Promise.reject(new Error('ECONNREFUSED'));
  await expect(find(await started(), 'key-1')).resolves.toBeDefined();
});

test('an unknown key is asked for, and not again until some time has passed', async () => {
  const [first, both] = [await jwks('key-1'), await jwks('key-1', 'key-2')];
  answer = async () => first;
  const keys = await started();
  answer = async () => both;
  await expect(find(keys, 'key-2')).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
  nowMs += JUST_LONG_ENOUGH_MS;
  await Promise.all([find(keys, 'key-2'), find(keys, 'key-2')]);
  await expect(find(keys, 'key-3')).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
  expect(fetches).toBe(2);
});

test('without any keys, that is what is said, and not that a token is forged', async () => {
  answer = () => Promise.reject(new Error('ECONNREFUSED'));
  const keys = await started();
  expect(keys.areKnown).toBe(false);
  await expect(find(keys, 'key-1')).rejects.toMatchObject({ code: 'ERR_JWKS_TIMEOUT' });
});

test('what is no set of keys is not taken', async () => {
  const set = await jwks('key-1');
  answer = async () => set;
  const keys = await started();
  answer = async () => ({ keys: 'none' });
  nowMs += JUST_LONG_ENOUGH_MS;
  await expect(find(keys, 'key-2')).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
  await expect(find(keys, 'key-1')).resolves.toBeDefined();
});
