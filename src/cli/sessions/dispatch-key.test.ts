import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Store } from '../../platform/clickhouse/store.ts';
import { erasedKey, parsePseudonymKey } from '../../platform/pseudonym-key.ts';
import { createLogger } from '../../platform/telemetry/logger.ts';
import { PseudonymKey } from '../../rating/subscribers.ts';
import { DispatchKey, isKeyFault } from './dispatch-key.ts';

const logger = createLogger({ level: 'silent', format: 'json' });
const whole = parsePseudonymKey('5a'.repeat(32), 'key');
const { generations } = new PseudonymKey(whole.generations).erased('491701234567', randomBytes(32));
const erased = erasedKey(whole, generations, { erasedAt: '2026-11-28T00:00:00.000Z', who: 'dpo', why: '1' });
const another = parsePseudonymKey('a5'.repeat(32), 'key');
const storeOf = ({ history }: typeof whole) => ({ query: async () => history }) as unknown as Store;

test('the key of the store is taken, also in a newer state; another one is refused', async () => {
  const key = new DispatchKey(() => whole, logger);
  await key.check(storeOf(whole));
  await key.check({ query: async () => [] } as unknown as Store);
  await new DispatchKey(() => erased, logger).check(storeOf(whole));
  const error = await key.check(storeOf(another)).catch((fault) => fault);
  expect(error).toMatchObject({ code: 'bad_configuration', message: expect.stringContaining('not the key') });
  expect(isKeyFault(error)).toBe(true);
});

test('after an erasure the key’s file is read again; one that still has the older key ends the server', async () => {
  let file = whole;
  const key = new DispatchKey(() => file, logger);
  const replaced: boolean[] = [];
  key.onReplaced = async (next) => void replaced.push(next.isErased('491701234567'));
  await expect(key.check(storeOf(erased))).rejects.toMatchObject({ code: 'pseudonym_key_replaced', canRetry: false });
  expect(replaced).toEqual([]);
  file = erased;
  await key.check(storeOf(erased));
  expect(replaced).toEqual([true]);
  expect(await key.reload()).toBe(false);
  file = whole;
  await expect(key.reload()).rejects.toThrow('this key is older than the store');
  expect(key.states).toHaveLength(2);
});
