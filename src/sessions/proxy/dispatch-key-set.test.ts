import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK } from 'jose';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { passingClock } from '../protocol/passing-clock.fixture.ts';
import { DispatchKeySet } from './dispatch-key-set.ts';

const NEXT_FETCH_MS = 5000;
let directory: string;
let clock: ReturnType<typeof passingClock>;
let fetches: number;
let answer: () => Promise<unknown>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'zerorate-keys-'));
  clock = passingClock();
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

const find = async (keys: DispatchKeySet, kid: string) =>
  keys.getKey({ alg: 'EdDSA', kid }, { payload: '', signature: '' });

test('keys are kept: a start without the dispatch server has them', async () => {
  const set = await jwks('key-1');
  answer = async () => set;
  await find(await started(), 'key-1');
  answer = () => Promise.reject(new Error('ECONNREFUSED'));
  await expect(find(await started(), 'key-1')).resolves.toBeDefined();
});

/** What a key is found to be when so much time has passed. */
async function findAfter(ms: number, keys: DispatchKeySet, kid: string) {
  const found = find(keys, kid).catch(({ code }) => code);
  await clock.pass(ms);
  return found;
}

test('an unknown key is looked up again after the next fetch, however short ago the last one was, at a bounded rate', async () => {
  const [first, both] = [await jwks('key-1'), await jwks('key-1', 'key-2')];
  answer = async () => first;
  const keys = await started();
  answer = async () => both;
  clock.ms += 10;
  const second = find(keys, 'key-2');
  await clock.pass(NEXT_FETCH_MS - 20);
  expect(fetches).toBe(1);
  expect(typeof (await findAfter(10, keys, 'key-2'))).toBe('object');
  await expect(second).resolves.toBeDefined();
  expect(await findAfter(NEXT_FETCH_MS, keys, 'key-3')).toBe('ERR_JWKS_NO_MATCHING_KEY');
  expect(fetches).toBe(3);
});

test('without any keys, that is what is said, and not that a token is forged', async () => {
  answer = () => Promise.reject(new Error('ECONNREFUSED'));
  const keys = await started();
  expect(keys.areKnown).toBe(false);
  expect(await findAfter(NEXT_FETCH_MS, keys, 'key-1')).toBe('ERR_JWKS_TIMEOUT');
});

test('what is no set of keys is not taken', async () => {
  const set = await jwks('key-1');
  answer = async () => set;
  const keys = await started();
  answer = async () => ({ keys: 'none' });
  expect(await findAfter(NEXT_FETCH_MS, keys, 'key-2')).toBe('ERR_JWKS_NO_MATCHING_KEY');
  await expect(find(keys, 'key-1')).resolves.toBeDefined();
});
