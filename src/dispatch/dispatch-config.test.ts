import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { packagePath } from '../platform/package-paths.ts';
import { readDispatchConfig } from './dispatch-config.ts';

const DEMO = packagePath('fixtures/demo/dispatch.yaml');
const ENV = {
  ZERORATE_PSEUDONYM_KEY: 'ab'.repeat(32),
  ZERORATE_OPERATOR_SECRET: 'operator-0123456789',
  ZERORATE_PROXY_SECRET: 'proxies-0123456789',
};

test('the example is good, and its secrets do not print', () => {
  const config = readDispatchConfig(DEMO, ENV);
  expect(config.catalogue).toBe(packagePath('fixtures/demo/catalogue.yaml'));
  expect(config.secrets.proxies.get('edge-1')?.reveal()).toBe('proxies-0123456789');
  expect(config.applications['lumen-video']).toEqual({
    grantOctets: 52_428_800,
    atCap: 'subscriber_pays',
    account: {
      way: 'registry',
      subscribersPerAccount: 1,
      registry: { file: packagePath('fixtures/demo/accounts.csv') },
    },
  });
  for (const shown of [inspect(config, { depth: 9 }), JSON.stringify(config)])
    expect(shown).not.toContain('0123456789');
});

test.each<[string, string, string, RegExp]>([
  [
    'a misspelled field',
    'tokenSeconds: 300',
    'tokenSecond: 300',
    /:\d+: sessions\.tokenSecond: unknown key.*tokenSeconds/,
  ],
  [
    'two places of keys',
    'jwksFile: operator',
    'jwksUrl: https://a.example/\n    jwksFile: operator',
    /operators\[0\]: name either/,
  ],
  ['no place of keys', 'jwksFile: operator.key.jwks.json', 'jwksFile:', /operators\[0\]\.jwksFile/],
  ['a secret in the file', 'retainDays: 62', 'operatorSecret: hunter2hunter2hunter2', /operatorSecret: unknown key/],
  [
    'times that cannot be',
    'freshForMs: 6000',
    'freshForMs: 2000',
    /heartbeats\.freshForMs: expected more than everyMs 2000/,
  ],
  [
    'a secret file that is not there',
    'edge-1: {}',
    'edge-1: { secretFile: none }',
    /proxies\.edge-1\.secretFile: cannot be read/,
  ],
  [
    'a way without its settings',
    'registry: { file: accounts.csv } #',
    '#',
    /chatter\.account\.registry: way registry needs/,
  ],
  [
    'settings of another way',
    'way: registry #',
    'way: assertion #',
    /chatter\.account\.registry: is only for way registry/,
  ],
  ['an unknown way', 'way: registry #', 'way: trust #', /chatter\.account\.way: /],
  [
    'a callback in the clear',
    'chatter-calls: { account: { way: none } }',
    'chatter-calls: { account: { way: callback, callback: { url: http://a.example/, secretFile: none } } }',
    /chatter-calls\.account\.callback\.url: /,
  ],
  [
    'a callback without a secret',
    'chatter-calls: { account: { way: none } }',
    'chatter-calls: { account: { way: callback, callback: { url: https://a.example/, secretFile: none } } }',
    /chatter-calls\.account\.callback\.secretFile: cannot be read/,
  ],
])('refused with its line: %s', (_, piece, replacement, fault) => {
  const text = readFileSync(DEMO, 'utf8').replace(piece, replacement);
  const file = join(mkdtempSync(join(tmpdir(), 'zerorate-dispatch-')), 'dispatch.yaml');
  writeFileSync(file, text);
  const read = () => readDispatchConfig(file, ENV);
  expect(read).toThrow(fault);
  expect(read).toThrow(/dispatch\.yaml:\d+: /);
  expect(read).not.toThrow(/hunter2/);
});

test.each(Object.keys(ENV))('refused without %s', (variable) => {
  expect(() => readDispatchConfig(DEMO, { ...ENV, [variable]: '' })).toThrow(/expected/);
});
