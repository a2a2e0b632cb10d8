import { expect, test } from 'vitest';
import { shared } from './kafka-assignment.ts';

test('those who ask while an answer is under way share the next one', async () => {
  let fetches = 0;
  const gates: (() => void)[] = [];
  const ask = shared(async () => {
    const number = ++fetches;
    await new Promise<void>((resolve) => gates.push(resolve));
    return number;
  });
  const first = ask();
  await settle();
  const [second, third] = [ask(), ask()];
  await settle();
  expect(fetches).toBe(1);
  gates.shift()?.();
  await settle();
  expect(fetches).toBe(2);
  gates.shift()?.();
  expect(await Promise.all([first, second, third])).toEqual([1, 2, 2]);
});

test('a failure is its askers’ alone', async () => {
  let fetches = 0;
  const ask = shared(async () => {
    if (++fetches === 1) throw new Error('no answer');
    return fetches;
  });
  await expect(ask()).rejects.toThrow('no answer');
  expect(await ask()).toBe(2);
});

const settle = () => new Promise((resolve) => setImmediate(resolve));
