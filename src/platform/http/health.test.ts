import { expect, test } from 'vitest';
import { Health } from './health.ts';

test('is ready while no part has a problem', () => {
  const health = new Health();
  expect(health.isReady).toBe(true);
  health.report('source', 'joining');
  health.report('store', 'down');
  health.report('source', null);
  expect(health.isReady).toBe(false);
  expect(health.problems).toEqual({ store: 'down' });
  health.report('store', null);
  expect(health.isReady).toBe(true);
});

test('a call that fails is a problem until one succeeds', async () => {
  const health = new Health();
  const down = new Error('down');
  await expect(health.watch('store', () => Promise.reject(down))).rejects.toBe(down);
  expect(health.problems).toEqual({ store: 'down' });
  expect(await health.watch('store', async () => 7)).toBe(7);
  expect(health.isReady).toBe(true);
});

test('a failure that is an answer is no problem', async () => {
  const health = new Health();
  health.report('store', 'down');
  await expect(
    health.watch(
      'store',
      () => Promise.reject(new Error('fenced')),
      () => false,
    ),
  ).rejects.toThrow('fenced');
  expect(health.isReady).toBe(true);
});

test('a call that does not answer is a problem before it has failed', async () => {
  const health = new Health(1);
  let answer = () => {};
  const call = health.watch(
    'store',
    () =>
      new Promise<void>((resolve) => {
        answer = resolve;
      }),
  );
  while (health.isReady) await new Promise((resolve) => setTimeout(resolve, 1));
  answer();
  await call;
  expect(health.isReady).toBe(true);
});

test('a problem does not name a subscriber', () => {
  const health = new Health();
  health.report('source', 'no partition for 491701234567');
  expect(health.problems).toEqual({ source: 'no partition for [redacted]' });
});
