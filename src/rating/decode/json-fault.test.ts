import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonFaultAt } from './json-fault.ts';

test.each([
  ['', 0],
  ['{', 1],
  ['{"a":}', 5],
  ['{"a":1,}', 7],
  ['{"a" 1}', 5],
  ['{a:1}', 1],
  ['[1 2]', 3],
  ['[1,]', 3],
  ['01', 1],
  ['{"a":"unclosed', 5],
  ['{"a":"\\x"}', 5],
  ['{"a":1}{', 7],
  ['nul', 0],
  ['[}', 1],
])('%s stops being JSON at %i', (text, position) => {
  expect(jsonFaultAt(text)).toBe(position);
});

test('finds a fault exactly where JSON.parse finds one', () => {
  const jsonish = fc.oneof(
    fc.json(),
    fc.tuple(fc.json(), fc.nat(200)).map(([text, at]) => text.slice(0, at) + text.slice(at + 1)),
    fc.string({ unit: fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', '1', '-', '.', 'e', '0', ' ', 'null') }),
  );
  fc.assert(
    fc.property(jsonish, (text) => {
      const position = jsonFaultAt(text);
      expect(position === null).toBe(parses(text));
      if (position !== null) expect(position).toBeLessThanOrEqual(text.length);
    }),
    { numRuns: 2000 },
  );
});

test('is not upset by deep nesting', () => {
  expect(jsonFaultAt('['.repeat(200_000))).toBe(200_000);
});

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
