import { expect, test } from 'vitest';
import * as z from 'zod';
import { isTooDeep } from './json-body.ts';
import { boundedList, readMessage } from './read-message.ts';

/** Counts how many items are looked at. */
function counted(max: number) {
  let looked = 0;
  const item = z.unknown().refine((value) => {
    looked++;
    return value !== 'bad';
  });
  return { schema: z.strictObject({ items: boundedList(item, { max }) }), looked: () => looked };
}

test('a list that is too long is refused before any item is looked at', () => {
  const { schema, looked } = counted(1000);
  expect(readMessage(schema, { items: Array(600_000).fill('good') }).fault).toMatch(/^items: .*1000/);
  expect(looked()).toBe(0);
});

test('the first fault is the last that is looked at', () => {
  const { schema, looked } = counted(1000);
  const items = Array(1000).fill('bad');
  items[0] = 'good';
  expect(readMessage(schema, { items }).fault).toMatch(/^items\[1\]: /);
  expect(looked()).toBe(2);
});

test('a fault is of bounded length, whatever its field is called', () => {
  const message = { items: [], ['x'.repeat(100_000)]: 1 };
  expect(readMessage(counted(1).schema, message).fault?.length).toBeLessThan(400);
});

test('what has no fault is returned as it was read', () => {
  expect(readMessage(z.strictObject({ a: z.int().default(1) }), {})).toEqual({ value: { a: 1 } });
});

test.each([
  ['[[1]]', false],
  ['{"a":{"b":[]}}', true],
  ['{"a":[{}]}', true],
  ['["[[[[","{{{{"]', false],
  ['["\\"[[[["]', false],
  ['["\\\\",[],[]]', false],
  ['[],[],[],[]', false],
  ['["a', false],
])('JSON of depth above 2: %s', (text, expected) => {
  expect(isTooDeep(Buffer.from(text), 2)).toBe(expected);
});
