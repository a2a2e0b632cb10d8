import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { lineOf, sourceTexts } from './source-texts.ts';
import { bannedWords, wordsOf } from './words.ts';

const under = (folder: string, ending: RegExp) =>
  readdirSync(packagePath(folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => ending.test(path) && !path.includes('node_modules'))
    .map((path) => join(folder, path));

const textOf = (file: string) => readFileSync(packagePath(file), 'utf8');
const report = (place: string, { word, write }: { word: string; write: string }) =>
  `${place}: "${word}": write: ${write}`;

function faultsIn(file: string, text = textOf(file)): string[] {
  return bannedWords(text).map((found) => report(`${file}:${lineOf(text, found.offset)}`, found));
}

const pages = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...under('docs', /\.(md|svg)$/)].filter(
  // Its table names the words that are not written, beside those that are.
  (file) => !file.endsWith('style.md'),
);
/** Tests too; the list of the words itself names them. */
const sources = ['src', 'test', 'bench', 'examples']
  .flatMap((folder) => under(folder, /\.(ts|mjs)$/))
  .filter((file) => !file.startsWith('test/style/'));

test('the list finds what it is for, and leaves the field’s own words alone', () => {
  const dialect = 'Nobody is told; it stands anew behind the door, held it against the sum';
  expect(bannedWords(dialect).map(({ word }) => word)).toEqual([
    'Nobody',
    'told',
    'stands',
    'anew',
    'door',
    'held it against',
  ]);
  const field =
    'settlement, settled reservations, a standard deviation, understands, doorbell-free, recommend, outstanding, total, holds a lock';
  expect(bannedWords(field)).toEqual([]);
  expect(bannedWords(wordsOf('markAnew failedAtTheDoor'))).toHaveLength(2);
});

test.each(pages)('%s is written in the field’s words', (file) => {
  expect(faultsIn(file)).toEqual([]);
});

test.each(under('schemas', /\.(json|avsc)$/))('%s: so are its descriptions', (file) => {
  expect(faultsIn(file)).toEqual([]);
});

test.each(under('fixtures/demo', /\.ya?ml$/).concat(under('docker', /\.(ya?ml|tpl|txt|json)$/)))(
  '%s: so are the comments of what a user copies, and alerts and dashboards',
  (file) => {
    expect(faultsIn(file)).toEqual([]);
  },
);

const parsed = sources.map((file) => {
  const code = textOf(file);
  return { file, code, texts: sourceTexts(file, code) };
});

test.each([
  ['text', 'messages, help and every other text'],
  ['comment', 'comments'],
  ['name', 'names'],
] as const)('sources: %s: %s are written in the field’s words', (kind, _what) => {
  const readable = (text: string) => (kind === 'name' ? wordsOf(text) : text);
  const faults = parsed.flatMap(({ file, code, texts }) => {
    const ofKind = texts.filter((text) => text.kind === kind);
    // Nearly every file has none, which one look shows.
    if (bannedWords(ofKind.map(({ text }) => readable(text)).join('\n')).length === 0) return [];
    return ofKind.flatMap(({ text, offset }) =>
      bannedWords(readable(text)).map((found) =>
        report(`${file}:${lineOf(code, kind === 'name' ? offset : offset + found.offset)}`, found),
      ),
    );
  });
  expect(faults).toEqual([]);
});

test('file names are written in the field’s words', () => {
  const faults = sources.flatMap((file) => bannedWords(wordsOf(file)).map((found) => report(file, found)));
  expect(faults).toEqual([]);
});

test('so is --help of every command', async () => {
  const { loadProgram } = await import('../../src/cli/load-program.ts');
  const commandsOf = (command: Command): Command[] => [command, ...command.commands.flatMap(commandsOf)];
  const commands = commandsOf(await loadProgram());
  expect(commands.length).toBeGreaterThan(20);
  const faults = commands.flatMap((command) => faultsIn(`${command.name()} --help`, command.helpInformation()));
  expect(faults).toEqual([]);
});
