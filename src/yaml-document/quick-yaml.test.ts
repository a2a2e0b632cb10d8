import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { parseYaml } from './parse-yaml.ts';
import { quickYamlValue } from './quick-yaml.ts';

const OPTIONS = {
  prettyErrors: false,
  stringKeys: true,
  schema: 'core',
  merge: false,
  resolveKnownTags: false,
} as const;
const DEMO = readFileSync(new URL('../../fixtures/demo/catalogue.yaml', import.meta.url), 'utf8');

test('an ordinary catalogue is read the quick way, to the same value', () => {
  expect(quickYamlValue(DEMO)).toEqual(parseDocument(DEMO, OPTIONS).toJS());
});

test.each([
  'a: 1\nb: [0x1F, 0o17, -0, +1, 007, 1_000, 0b1, 1e3, .5, 5., .inf, -.INF, .nan]',
  'a: [yes, no, on, null, Null, ~, true, True, FALSE, tRue, 2026-01-01, 2026-01-01T00:00:00Z, 1:30]',
  'a:\nb: ""\nc: "\\u00e9 \\n"\nd: \'it\'\'s\'',
  'a: |\n  one\n\n  two\nb: >-\n  one\n  two\nc: |+\n  x\n\n',
  'a: plain text\n  over lines # a comment\nb: "quoted\n  over lines"',
  '# comment\n---\na: { b: 1, "c": [x, y,], d }\n...\n',
  '- a\n-\n  - b\n- - c\n  - d\n- e: f\n  g: h',
  '"a": 1\n\'b\': 2\n"0": 3\n"null": 4',
  'a: AT&T\nb: a & b\nc: 5 * 3\nd: what!\ne: 100%\nf: a:b',
  '<<: { a: 1 }\nb: 2',
  'a: 1\r\nb:\r\n  - c\r\n',
  '\ufeffa: é',
  'a: 9007199254740993\nb: 123456789012345678901234567890',
])('%j is read to the same value', (text) => {
  const value = quickYamlValue(text);
  expect(value).toBeDefined();
  expect(value).toEqual(parseDocument(text, OPTIONS).toJS());
});

test.each([
  '',
  'a: &x 1\nb: *x',
  'a: !!int "1"',
  'a: !local 1',
  '%YAML 1.1\n---\na: yes',
  '%FOO bar\n---\na: 1',
  'a: 1\na: 2',
  'a: 1\n---\nb: 2',
  'a: [1',
  'a: "x',
  '\ta: 1',
  'a: 1\n b: 2',
  'a: b: c',
  '010: a',
  '1: a',
  'null: a',
  ': a',
  'true: a',
  '[a]: b',
  '{a: 1}: b',
  '__proto__: { a: 1 }',
  'a: 1\rb: 2',
  'a: 1e999',
  'a: @x',
])('%j is left to the parser that names places', (text) => {
  expect(quickYamlValue(text)).toBeUndefined();
});

test('a fault has its place, whichever way the value was read', () => {
  const { value, locate } = parseYaml('a:\n  - b: 1\n    c: 2\n', 'x.yaml');
  expect(value).toEqual({ a: [{ b: 1, c: 2 }] });
  expect(locate?.(['a', 0, 'c'])).toEqual({ line: 3, column: 5 });
  expect(locate?.(['a', 0, 'd'])).toEqual({ line: 2, column: 5 });
});
