import { readdirSync, readFileSync, statSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

/**
 * The houses and the one direction between them: main -> commands -> services -> {billing, platform}. `billing` and
 * `platform` do not import each other, services do not import each other; what they share has a house of its own.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'main.ts': ['commands'],
  commands: [
    'operations',
    'engine',
    'audit',
    'finance',
    'fraud',
    'serve',
    'proxy',
    'sources',
    'journal',
    'quota-updates',
    'generator',
    'finance',
    'gateway',
    'terminal',
    'session-protocol',
    'dispatch',
    'reconciliation',
    'development',
    'billing',
    'platform',
    'yaml-document',
  ],
  engine: ['sources', 'journal', 'quota-updates', 'billing', 'platform'],
  audit: ['sources', 'journal', 'quota-updates', 'billing', 'platform'],
  finance: ['journal', 'billing', 'platform'],
  fraud: ['platform'],
  serve: ['finance', 'billing', 'platform'],
  sources: ['billing', 'platform'],
  journal: ['billing', 'platform'],
  'quota-updates': ['billing', 'platform'],
  generator: ['billing', 'platform'],
  testing: ['platform'],
  // What watches an engine may look into it, and what shakes the houses into all of them.
  operations: ['engine', 'finance', 'sources', 'journal', 'billing', 'platform', 'yaml-document'],
  simulation: ['engine', 'audit', 'sources', 'journal', 'quota-updates', 'generator', 'billing', 'platform'],
  chaos: [
    'commands',
    'engine',
    'audit',
    'sources',
    'journal',
    'quota-updates',
    'generator',
    'testing',
    'billing',
    'platform',
  ],
  gateway: ['session-protocol', 'billing', 'platform'],
  terminal: ['session-protocol', 'billing', 'platform'],
  // The programs on one machine, as `zerorate dev` and the loop start them.
  development: ['dispatch', 'serve', 'terminal', 'session-protocol', 'testing', 'billing', 'platform'],
  loop: [
    'commands',
    'development',
    'chaos',
    'journal',
    'generator',
    'gateway',
    'terminal',
    'testing',
    'session-protocol',
    'billing',
    'platform',
  ],
  dispatch: ['session-protocol', 'billing', 'platform'],
  reconciliation: ['session-protocol', 'billing', 'platform'],
  proxy: ['session-protocol', 'billing', 'platform', 'yaml-document'],
  'session-protocol': ['billing', 'platform'],
  billing: ['yaml-document'],
  platform: ['yaml-document'],
  'yaml-document': [],
};
/** The pure core knows no I/O: these are all the packages and modules it may use. */
const PURE = ['avsc', 'js-yaml', 'luxon', 'node:crypto', 'zod'];
const FORBIDDEN_NAMES = /^(utils?|common|helpers?|misc)(\.|$)/;

const root = resolve(import.meta.dirname);
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
const sources = files.filter((path) => !/\.(test|fixture)\.ts$/.test(path));

/** Asks the runtime for a zone's calendar in a second computation: digits alone, no words. */
const KNOWS_TIME_ZONES = ['audit/second-rules.ts'];
/** What answers by the runtime's language data; of luxon, what writes words. */
const ICU =
  /\bIntl\b|\.toLocale\w+\(|\.localeCompare\(|\.toFormat\(|\.monthLong\b|\.monthShort\b|\.weekday(Long|Short)\b|\bInfo\./;

function usesIcu(path: string): boolean {
  return ICU.test(withoutComments(path));
}

function withoutComments(path: string): string {
  return readFileSync(join(root, path), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
}

function houseOf(path: string): string {
  return path.split('/')[0];
}

function importsOf(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8');
  const statements = text.matchAll(/^import\b[^;']*'([^']+)';$|\bimport\('([^']+)'\)/gm);
  return [...statements].map(([, name, dynamic]) => name ?? dynamic);
}

function localImportsOf(path: string): string[] {
  return importsOf(path)
    .filter((name) => name.startsWith('.'))
    .map((name) => relative(root, resolve(root, dirname(path), name)));
}

describe('the houses', () => {
  test('every file imports in the one direction', () => {
    for (const path of sources) {
      const house = houseOf(path);
      const others = localImportsOf(path)
        .map(houseOf)
        .filter((other) => other !== house);
      expect(MAY_IMPORT[house], `${path} is in a folder that has no rule: ${house}`).toBeDefined();
      for (const other of others) expect(MAY_IMPORT[house], path).toContain(other);
    }
  });

  test('every file of the core is pure', () => {
    for (const path of sources.filter((path) => houseOf(path) === 'billing')) {
      for (const name of importsOf(path).filter((name) => !name.startsWith('.'))) expect(PURE, path).toContain(name);
      expect(withoutComments(path), path).not.toMatch(/Date\.now|new Date\(\)|Math\.random|process\.env|console\./);
    }
  });

  test('nothing is written, sorted or rounded as the runtime’s ICU says, which differs by its version', () => {
    const found = sources.filter((path) => !KNOWS_TIME_ZONES.includes(path) && usesIcu(path));
    expect(found).toEqual([]);
    expect(KNOWS_TIME_ZONES.filter(usesIcu)).toEqual(KNOWS_TIME_ZONES);
  });

  test('no circle of imports', () => {
    const done = new Set<string>();
    const visit = (path: string, way: readonly string[]): void => {
      expect(way, `a circle: ${[...way, path].join(' -> ')}`).not.toContain(path);
      if (done.has(path)) return;
      for (const next of localImportsOf(path)) visit(next, [...way, path]);
      done.add(path);
    };
    for (const path of sources) visit(path, []);
  });

  test('every file has a readable size and a name of its own', () => {
    for (const path of files) {
      expect(readFileSync(join(root, path), 'utf8').split('\n').length, path).toBeLessThanOrEqual(400);
      expect(path.split('/').length, path).toBeLessThanOrEqual(2);
      for (const part of path.split('/')) expect(part, path).not.toMatch(FORBIDDEN_NAMES);
    }
  });

  test('every package that is imported is a dependency', () => {
    const manifest = JSON.parse(readFileSync(join(root, '../package.json'), 'utf8'));
    const builtins = new Set(builtinModules.flatMap((name) => [name, `node:${name}`]));
    for (const path of sources) {
      const isTesting = houseOf(path) === 'testing';
      const known = Object.keys({ ...manifest.dependencies, ...(isTesting ? manifest.devDependencies : {}) });
      for (const name of importsOf(path).filter((name) => !name.startsWith('.') && !builtins.has(name))) {
        const packageName = name
          .split('/')
          .slice(0, name.startsWith('@') ? 2 : 1)
          .join('/');
        expect(known, `${path} imports ${name}`).toContain(packageName);
      }
    }
    expect(statSync(join(root, '../package-lock.json')).size).toBeGreaterThan(0);
  });
});
