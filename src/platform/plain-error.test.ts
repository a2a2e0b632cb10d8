import { expect, test } from 'vitest';
import { StoreError } from './clickhouse/store.ts';
import { ConfigError } from './config/config-error.ts';
import { errorOf, plainError } from './plain-error.ts';
import { redactedForLog } from './telemetry/redaction.ts';

const overThreads = (error: unknown) => errorOf(structuredClone(plainError(error)));

test('an error keeps code, causes, fields and stack over a thread boundary, and is logged as before', () => {
  const cause = Object.assign(new TypeError('connect refused'), { code: 'ECONNREFUSED', port: 8123 });
  const error = new StoreError('store_unreachable', 'ClickHouse does not answer', { cause, canRetry: true });
  const there = overThreads(error);
  expect(there).toBeInstanceOf(Error);
  expect(there).toMatchObject({
    name: 'StoreError',
    message: 'ClickHouse does not answer',
    code: 'store_unreachable',
    canRetry: true,
    stack: error.stack,
    cause: { name: 'TypeError', message: 'connect refused', code: 'ECONNREFUSED', port: 8123 },
  });
  expect(redactedForLog({ err: there })).toEqual(redactedForLog({ err: error }));
});

test('what is wrong in a configuration stays a ConfigError: the exit code depends on it', () => {
  const there = overThreads(new ConfigError(['one fault', 'and another']));
  expect(there).toBeInstanceOf(ConfigError);
  expect(there.message).toBe('one fault\nand another');
});

test('a cause that leads back to itself, a function in an error, and what is no error, all arrive', () => {
  const loop: Error & { cause?: unknown; retry?: () => void } = new Error('round');
  loop.cause = loop;
  loop.retry = () => {};
  expect(overThreads(loop).message).toBe('round');
  expect(overThreads('text')).toMatchObject({ name: 'Error', message: 'text' });
});
