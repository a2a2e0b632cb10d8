import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Random } from './random.ts';

const anySeed = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

test('the same seed gives the same numbers, in every version', () => {
  const random = new Random(42);
  expect(Array.from({ length: 4 }, () => random.uint32())).toMatchInlineSnapshot(`
    [
      3724434300,
      2299546101,
      3861767672,
      1849103117,
    ]
  `);
});

test('seeds that differ in their high or low bits alone give other numbers', () => {
  const firstOf = (seed: number) => new Random(seed).uint32();
  const seeds = [0, 1, 2, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER];
  expect(new Set(seeds.map(firstOf)).size).toBe(seeds.length);
});

test.each([-1, 0.5, Number.NaN, 2 ** 53])('%s is refused as a seed', (seed) => {
  expect(() => new Random(seed)).toThrow(/seed must be/);
});

test('integers stay within their ends and reach them', () => {
  fc.assert(
    fc.property(anySeed, fc.integer({ min: -5, max: 5 }), fc.integer({ min: 0, max: 3 }), (seed, from, width) => {
      const random = new Random(seed);
      const drawn = new Set(Array.from({ length: 200 }, () => random.integer(from, from + width)));
      expect([...drawn].sort((a, b) => a - b)).toEqual(Array.from({ length: width + 1 }, (_, index) => from + index));
    }),
  );
});

test('an item of weight 0 is never drawn, and the others in proportion', () => {
  const random = new Random(3);
  const drawn = [0, 0, 0, 0];
  for (let draw = 0; draw < 40_000; draw++) drawn[random.weighted([0, 3, 0, 1])] += 1;
  expect([drawn[0], drawn[2]]).toEqual([0, 0]);
  expect(drawn[1] / 40_000).toBeCloseTo(0.75, 1);
  expect(() => random.weighted([0, 0])).toThrow(/all weights are 0/);
});

test('gaussian numbers have mean 0 and deviation 1', () => {
  const random = new Random(9);
  const numbers = Array.from({ length: 40_000 }, () => random.gaussian());
  const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  const variance = numbers.reduce((sum, number) => sum + (number - mean) ** 2, 0) / numbers.length;
  expect(mean).toBeCloseTo(0, 1);
  expect(variance).toBeCloseTo(1, 1);
});
