import { expect, test } from 'vitest';
import { BlockMemory } from './block-rows.ts';

/** Arrays of a block that is larger than the first memory. */
function take(memory: BlockMemory) {
  memory.begin();
  return [memory.octets(100_001), memory.uint16(3), memory.uint32(50_000), memory.octets(5)];
}

test('arrays of one block share no octet, whether they fit or not', () => {
  const memory = new BlockMemory();
  for (let block = 0; block < 3; block++) {
    const arrays = take(memory);
    arrays.forEach((array, index) => {
      array.fill(index + 1);
    });
    arrays.forEach((array, index) => {
      expect(array.every((value) => value === index + 1)).toBe(true);
    });
  }
});

test('a block as large as the one before finds its place in the same memory', () => {
  const memory = new BlockMemory();
  take(memory);
  const second = take(memory);
  const third = take(memory);
  expect(third.map(({ buffer }) => buffer)).toEqual(second.map(({ buffer }) => buffer));
  expect(new Set(second.map(({ buffer }) => buffer)).size).toBe(1);
});
