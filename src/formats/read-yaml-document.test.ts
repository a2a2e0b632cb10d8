import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { formatFault } from './document-fault.ts';
import { readYamlDocument } from './read-yaml-document.ts';

const schema = z.strictObject({
  name: z.string(),
  kind: z.enum(['day', 'week']).default('day'),
  size: z.int().min(1).max(9).nullable().optional(),
  ssl: z.union([z.boolean(), z.strictObject({ ca: z.string() })]).optional(),
  parts: z
    .array(z.strictObject({ id: z.string().regex(/^[a-z]+$/, 'expected small letters'), when: z.string().optional() }))
    .default([]),
});
const read = (text: string) => readYamlDocument(text, 'a.yaml', schema);
const lines = (text: string) => (read(text).faults ?? []).map(formatFault);

test('gives the value with its defaults, and the places of its parts', () => {
  const { value, locate } = read('name: x\nparts:\n  - id: a\n  - { id: b, when: 2010-01-01T00:00:00Z }\n');
  expect(value).toEqual({ name: 'x', kind: 'day', parts: [{ id: 'a' }, { id: 'b', when: '2010-01-01T00:00:00Z' }] });
  expect(locate?.(['parts'])).toEqual({ line: 2, column: 1 });
  expect(locate?.(['parts', 1])).toEqual({ line: 4, column: 5 });
  expect(locate?.(['parts', 1, 'when'])).toEqual({ line: 4, column: 14 });
  expect(locate?.(['parts', 0, 'when'])).toEqual({ line: 3, column: 5 });
  expect(locate?.(['nowhere', 7])).toEqual({ line: 1, column: 1 });
});

test('reads an alias as its anchor, and says where the anchor is', () => {
  const { value, locate } = read('name: x\nparts:\n  - &p { id: a }\n  - *p\n');
  expect(value?.parts).toEqual([{ id: 'a' }, { id: 'a' }]);
  expect(locate?.(['parts', 1, 'id']).line).toBe(3);
});

test.each([
  ['no text', '', ['a.yaml:1: expected a map, got null']],
  ['another kind', '- 1', ['a.yaml:1: expected a map, got a list']],
  ['a missing field', 'kind: day', ['a.yaml:1: name: is missing: expected text']],
  ['a number for text', '\nname: 12', ['a.yaml:2: name: expected text, got 12: put it in quotes']],
  [
    'a word of no list',
    'name: x\nkind: weak',
    ['a.yaml:2: kind: expected one of day, week, got "weak" (did you mean "week"?)'],
  ],
  ['a fraction', 'name: x\nsize: 1.5', ['a.yaml:2: size: expected a whole number, got 1.5']],
  ['a small number', 'name: x\nsize: 0', ['a.yaml:2: size: expected at least 1, got 0']],
  ['a large number', 'name: x\nsize: 10', ['a.yaml:2: size: expected at most 9, got 10']],
  ['an unknown key', 'nmae: x\nname: y', ['a.yaml:1: nmae: unknown key (did you mean "name"?)']],
  ['a misspelled key once', 'nmae: x', ['a.yaml:1: nmae: unknown key (did you mean "name"?)']],
  ['a key like no other', 'name: y\nfoo: 1', ['a.yaml:2: foo: unknown key, known are name, kind, size, ssl, parts']],
  [
    'a merge key',
    'name: y\n"<<": { kind: day }',
    ['a.yaml:2: ["<<"]: unknown key, known are name, kind, size, ssl, parts'],
  ],
  ['a word deep inside', 'name: x\nparts:\n  - id: a\n  - id: B', ['a.yaml:4: parts[1].id: expected small letters']],
  [
    'an unknown key deep inside',
    'name: x\nparts:\n  - id: a\n    whem: b',
    ['a.yaml:4: parts[0].whem: unknown key (did you mean "when"?)'],
  ],
  ['the meant form of two', 'name: x\nssl:\n  cs: a', ['a.yaml:3: ssl.cs: unknown key (did you mean "ca"?)']],
  ['no form of two', 'name: x\nssl: 5', ['a.yaml:2: ssl: expected true or false or a map, got 5']],
  [
    'all faults at once',
    'kind: 5\nsize: no\nfoo: 1',
    [
      'a.yaml:1: name: is missing: expected text',
      'a.yaml:1: kind: expected one of day, week, got 5',
      'a.yaml:2: size: expected a number, got "no"',
      'a.yaml:3: foo: unknown key, known are name, kind, size, ssl, parts',
    ],
  ],
])('names %s', (_case, text, faults) => {
  expect(lines(text).sort()).toEqual([...faults].sort());
});

test.each([
  ['a syntax error', 'name: x\nparts: [', 2],
  ['a duplicate key', 'name: x\nname: y', 2],
  ['a tab as indentation', 'name: x\nparts:\n\t- id: a', 3],
  ['a second document', 'name: x\n---\nname: y', 2],
  ['an unknown tag', 'name: x\nkind: !day day', 2],
  ['a time by tag', 'name: x\nkind: !!timestamp 2010-01-01', 2],
  ['a key that is a list', 'name: x\n? [a]\n: b', 2],
  ['an alias of nothing', 'name: *x', 1],
  [
    'a flood of aliases',
    `name: x\na: &a [1,1,1]\nb: &b [${'*a,'.repeat(90)}]\nc: &c [${'*b,'.repeat(90)}]\nparts: [${'*c,'.repeat(90)}]`,
    5,
  ],
  ['an anchor that holds itself', 'name: x\nparts: &p\n  - *p', 3],
  ['a stray brace', 'name: x\nparts:\n  - { id: a }}\n  - { id: b }\n  - { id: c }', 3],
  ['a brace that is missing', 'name: x\nparts:\n  - { id: a\n  - { id: b }\n', 4],
])('refuses %s, in one line', (_case, text, line) => {
  const [first, ...rest] = lines(text);
  expect(first).toMatch(new RegExp(`^a\\.yaml:${line}: not valid YAML: [^\\n]+$`));
  expect(rest).toEqual([]);
});

describe('one stray character gives one message', () => {
  const text = 'name: x\nparts:\n  - id: a\nkind: day\nsize: 1\n';
  const stray = ['{', '}', '[', ']', '{{', '}}', '"', "'", '`', '@', '%', '&', '*', '!', '|', '>', '- '];
  const places: [string, (char: string) => string][] = [
    ['a line of its own', (char) => text.replace('kind:', `${char}\nkind:`)],
    ['before a value', (char) => text.replace('a\n', `${char}a\n`)],
    ['the end', (char) => `${text}${char}\n`],
    ['a list', (char) => text.replace('\n  - id: a', ` [{ id: a ${char}}]`)],
  ];
  test.each(stray.flatMap((char) => places.map(([place, put]) => [char, place, put(char)] as const)))(
    '%s on %s',
    (_char, _place, broken) => {
      const found = lines(broken);
      expect(found.length).toBeLessThanOrEqual(1);
      for (const line of found) expect(line).not.toMatch(/token|Implicit|stringKeys/);
    },
  );
  test('a brace is named with its line', () => {
    expect(lines(text.replace('kind:', '}\nkind:'))).toEqual([
      'a.yaml:4: not valid YAML: } closes nothing that is open before it',
    ]);
    expect(lines(text.replace('kind:', '{\nkind:'))).toEqual([
      'a.yaml:6: not valid YAML: missed comma between flow collection entries',
    ]);
  });
});

test('a %YAML 1.1 directive does not change what words mean', () => {
  expect(read('%YAML 1.1\n---\nname: yes\n').value?.name).toBe('yes');
});
