import { expect, test } from 'vitest';
import { chooseSides } from './choose-sides.ts';
import { findGo } from './go-side.ts';
import { SIDES } from './side.ts';

const namesOf = (sides: readonly { name: string }[]) => sides.map(({ name }) => name);

test('a side that does not exist is an error, and none is left out silently', () => {
  expect(() => chooseSides('zerorate,kafkjs,rust')).toThrow('--sides: kafkjs, rust: expected some of');
});

test('Go is looked for where a side needs it, and only there', () => {
  const all = SIDES.map(({ name }) => name).join(',');
  expect(chooseSides(all, () => '/go')).toEqual({ sides: SIDES, skipped: [], go: '/go' });
  const find = () => {
    throw new Error('looked for');
  };
  expect(namesOf(chooseSides('kafkajs,framing', find).sides)).toEqual(['framing', 'kafkajs']);
});

test('without Go its side is skipped, and the others run', () => {
  const { sides, skipped, go } = chooseSides('go,zerorate', () => null);
  expect(namesOf(sides)).toEqual(['zerorate']);
  expect(skipped).toEqual([{ name: 'go', reason: expect.stringContaining('Go is not installed') }]);
  expect(go).toBeNull();
});

test('a place without a program is no Go', () => {
  expect(findGo(['/nowhere/go', process.execPath])).toBeNull();
});
