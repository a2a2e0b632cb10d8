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
  ZERORATE_PROXY_1_SECRET: 'proxies-0123456789',
};

test('the example is good, and its secrets do not print', () => {
  const config = readDispatchConfig(DEMO, ENV);
  expect(config.catalogue).toBe(packagePath('fixtures/demo/catalogue.yaml'));
  expect(config.secrets.proxies.get('proxy-1')?.reveal()).toBe('proxies-0123456789');
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
    'secretVariable: ZERORATE_PROXY_1_SECRET',
    'secretFile: none',
    /proxies\.proxy-1\.secretFile: cannot be read/,
  ],
  [
    'two places of a secret',
    'secretVariable: ZERORATE_PROXY_1_SECRET',
    'secretVariable: ZERORATE_PROXY_1_SECRET\n    secretFile: none',
    /proxies\.proxy-1: name either secretFile or secretVariable|proxies\.proxy-1\.secretFile: name either/,
  ],
  ['a proxy without a pinned control URL', 'controlUrl:', 'region:', /proxies\.proxy-1\.(region|controlUrl)/],
  [
    'a proxy of before, with the shared secret',
    'secretVariable: ZERORATE_PROXY_1_SECRET',
    '',
    /proxies\.proxy-1: name either secretFile or secretVariable/,
  ],
  [
    'a secret that two proxies have',
    'heartbeats:',
    `  proxy-2:
    secretVariable: ZERORATE_PROXY_1_SECRET
    controlUrl: http://127.0.0.1:9083
    endpoints: { connect: "http://127.0.0.1:1", socks5: "socks5://127.0.0.1:2", relay: "ws://127.0.0.1:3" }
    applications: [chatter]
heartbeats:`,
    /proxies\.proxy-2\.secretVariable: is the secret of proxy-1, too/,
  ],
  [
    'a client certificate without its authority',
    '# clientCertificate:',
    'clientCertificate:',
    /proxies\.proxy-1\.clientCertificate: needs http\.tls\.clientCaFile/,
  ],
  [
    'a bound on clocks below the warning',
    'maxClockSkewMs: 5000',
    'maxClockSkewMs: 10',
    /heartbeats\.maxClockSkewMs: expected at least warnClockSkewMs 1000/,
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
  expect(() => readDispatchConfig(DEMO, { ...ENV, [variable]: '' })).toThrow(/expected|holds no secret/);
});

test('the variable that all proxies shared is refused, with what to do', () => {
  const env = { ...ENV, ZERORATE_PROXY_SECRET: 'shared-0123456789' };
  expect(() => readDispatchConfig(DEMO, env)).toThrow(/proxies: ZERORATE_PROXY_SECRET is set, and no longer read.*own/);
});
