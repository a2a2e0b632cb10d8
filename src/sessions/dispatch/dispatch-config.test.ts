import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { packagePath } from '../../platform/package-paths.ts';
import { readDispatchConfig } from './dispatch-config.ts';

const ENV = { ZERORATE_PSEUDONYM_KEY: 'ab'.repeat(32) };

/** The examples with the secrets that they name, in a folder of their own. */
function demoFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'zerorate-dispatch-'));
  cpSync(packagePath('fixtures/demo'), folder, { recursive: true });
  writeFileSync(join(folder, 'operator.secret'), 'operator-0123456789');
  writeFileSync(join(folder, 'proxy-1.secret'), 'proxies-0123456789');
  return folder;
}

test('the example is good, and its secrets do not print', () => {
  const folder = demoFolder();
  const config = readDispatchConfig(join(folder, 'dispatch.yaml'), ENV);
  expect(config.catalogue).toBe(join(folder, 'catalogue.yaml'));
  expect(config.secrets.proxies.get('proxy-1')?.reveal()).toBe('proxies-0123456789');
  expect(config.applications['lumen-video']).toEqual({
    grantOctets: 52_428_800,
    atCap: 'stop',
    account: {
      way: 'registry',
      subscribersPerAccount: 1,
      registry: { file: join(folder, 'accounts.csv') },
    },
  });
  for (const shown of [inspect(config, { depth: 9 }), JSON.stringify(config)])
    expect(shown).not.toContain('0123456789');
});

test.each<[string, string, string, RegExp]>([
  [
    'a misspelled field',
    'tokenLifetimeMs: 300000',
    'tokenLifetime: 300000',
    /:\d+: sessions\.tokenLifetime: unknown key.*tokenLifetimeMs/,
  ],
  [
    'two places of keys',
    'jwksFile: operator',
    'jwksUrl: https://a.example/\n    jwksFile: operator',
    /operators\[0\]: name either/,
  ],
  ['no place of keys', 'jwksFile: operator.key.jwks.json', 'jwksFile:', /operators\[0\]\.jwksFile/],
  [
    'a secret in the file',
    'reportLifetimeMs: 5356800000',
    'operatorSecret: hunter2hunter2hunter2',
    /operatorSecret: unknown key/,
  ],
  [
    'times that cannot be',
    'staleTimeoutMs: 6000',
    'staleTimeoutMs: 2000',
    /heartbeats\.staleTimeoutMs: expected more than intervalMs 2000/,
  ],
  [
    'a secret file that is not there',
    'secretFile: proxy-1.secret',
    'secretFile: none',
    /proxies\.proxy-1\.secretFile: cannot be read/,
  ],
  [
    'two places of a secret',
    'secretFile: proxy-1.secret',
    'secretFile: proxy-1.secret\n    secretVariable: OWN',
    /proxies\.proxy-1: name either|proxies\.proxy-1\.secretFile: name either/,
  ],
  ['a proxy without a pinned control URL', 'controlUrl:', 'region:', /proxies\.proxy-1\.(region|controlUrl)/],
  [
    'a proxy of before, with the shared secret',
    'secretFile: proxy-1.secret',
    '',
    /proxies\.proxy-1: name either secretFile or secretVariable/,
  ],
  [
    'a secret that two proxies have',
    'heartbeats:',
    `  proxy-2:
    secretFile: proxy-1.secret
    controlUrl: http://127.0.0.1:9083
    endpoints: { connect: "http://127.0.0.1:1", socks5: "socks5://127.0.0.1:2", relay: "ws://127.0.0.1:3" }
    applications: [chatter]
heartbeats:`,
    /proxies\.proxy-2\.secretFile: is the secret of proxy-1, too/,
  ],
  [
    'a client certificate without its authority',
    '# clientCertificate:',
    'clientCertificate:',
    /proxies\.proxy-1\.clientCertificate: needs http\.tls\.caFile/,
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
  const file = join(demoFolder(), 'dispatch.yaml');
  const text = readFileSync(file, 'utf8').replace(piece, replacement);
  writeFileSync(file, text);
  const read = () => readDispatchConfig(file, ENV);
  expect(read).toThrow(fault);
  expect(read).toThrow(/dispatch\.yaml:\d+: /);
  expect(read).not.toThrow(/hunter2/);
});

test.each([
  ['ZERORATE_PSEUDONYM_KEY', ''],
  ['ZERORATE_OPERATOR_SECRET', 'operatorSecretFile: operator.secret'],
  ['PROXY_1_SECRET', 'secretFile: proxy-1.secret'],
])('without a file, refused without %s', (variable, named) => {
  const file = join(demoFolder(), 'dispatch.yaml');
  const other = variable === 'PROXY_1_SECRET' ? 'secretVariable: PROXY_1_SECRET' : '';
  writeFileSync(file, readFileSync(file, 'utf8').replace(named, other));
  const env = { ...ENV, ZERORATE_OPERATOR_SECRET: 'operator-0123456789', PROXY_1_SECRET: 'proxies-0123456789' };
  expect(() => readDispatchConfig(file, env)).not.toThrow();
  expect(() => readDispatchConfig(file, { ...env, [variable]: '' })).toThrow(/expected|holds no secret/);
});

test('the variable that all proxies shared is refused, with what to do', () => {
  const env = { ...ENV, ZERORATE_PROXY_SECRET: 'shared-0123456789' };
  const read = () => readDispatchConfig(join(demoFolder(), 'dispatch.yaml'), env);
  expect(read).toThrow(/proxies: ZERORATE_PROXY_SECRET is set, and no longer read.*own/);
});
