import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { packagePath } from '../../platform/package-paths.ts';
import { loadProxyConfig } from './load-proxy-config.ts';
import { proxyConfigSchema } from './proxy-config-schema.ts';

const EXAMPLE = readFileSync(packagePath('fixtures/demo/proxy.yaml'), 'utf8');
const SECRET = 'a secret of this proxy';
const load = (text: string, variables: Record<string, string> = {}) =>
  loadProxyConfig({
    file: '/etc/zerorate/proxy.yaml',
    env: variables,
    readFile: (path) => {
      if (path.endsWith('proxy.yaml')) return text;
      if (path === '/etc/zerorate/short') return 'short\n';
      if (path === '/etc/zerorate/proxy-1.secret') return `${SECRET}\n`;
      throw new Error(`ENOENT: ${path}`);
    },
  });

/** The example with ways of identification, and a tag for marks. */
function identifiedBy(way: string, tag?: string): string {
  const lines = [`    identifiedBy: [${way}]`, ...(tag === undefined ? [] : [`    zeroRatingTag: ${tag}`])];
  const text = EXAMPLE.replace(/^ {4}zeroRatingTag: .*$/m, lines.join('\n'));
  expect(text).not.toBe(EXAMPLE);
  return text;
}

test('the example is one, paths are relative to it, and the secret does not print', () => {
  const config = load(EXAMPLE);
  expect(config.dataDir).toBe('/etc/zerorate/proxy-data');
  expect(config.secret.reveal()).toBe(SECRET);
  expect(JSON.stringify(config)).not.toContain(SECRET);
});

test('what the example says of defaults is what they are', () => {
  const { statistics, idle, limits, log, dispatch } = load(EXAMPLE);
  const [minimal] = EXAMPLE.split(/^statistics:/m);
  const defaults = load(minimal);
  expect({ statistics, idle, limits, log, dispatch }).toEqual({
    statistics: defaults.statistics,
    idle: defaults.idle,
    limits: defaults.limits,
    log: defaults.log,
    dispatch: defaults.dispatch,
  });
});

test('the example with all that is commented out is one, too, and names every field', () => {
  const whole = EXAMPLE.replaceAll(/^( *)# (?=(publicUrl|tls):)/gm, '$1');
  const config = load(whole);
  expect(config.gateway).toEqual({ url: 'http://127.0.0.1:8086', timeoutMs: 500 });
  expect(config.dispatch).toMatchObject({
    tls: {
      caFile: '/etc/zerorate/dispatch-ca.pem',
      certFile: '/etc/zerorate/proxy-1.pem',
      keyFile: '/etc/zerorate/proxy-1.key',
    },
  });
  expect(config.listen.connect.tls?.certFile).toBe('/etc/zerorate/proxy.crt');
  expect(Object.keys(config).sort()).toEqual(
    [...Object.keys(proxyConfigSchema.shape), 'secret', 'gatewaySecret'].sort(),
  );
});

test.each([
  [
    'an unknown field',
    EXAMPLE.replace('region:', 'regoin:'),
    /proxy\.yaml:\d+: regoin: unknown key \(did you mean "region"\?\)/,
  ],
  ['a network that is none', EXAMPLE.replace('127.0.0.0/8', '127.0.0.0'), /allowPrivate\[0\]: expected a network/],
  ['a URL for a host', EXAMPLE.replace('host: media', 'host: https://media'), /hosts\[0\]\.host: expected a host name/],
  [
    'an application twice',
    EXAMPLE.replace('applications:', 'applications:\n  - { applicationId: chatter, hosts: [{ host: a }] }'),
    /applications\[1\]\.applicationId: is there twice/,
  ],
  [
    'an application that leads nowhere',
    EXAMPLE.replace('applications:', 'applications:\n  - { applicationId: none }'),
    /applications\[0\]: has neither hosts nor a relayUpstream/,
  ],
  [
    'session tags within TLS',
    identifiedBy('terminal_tag').replace('# tls: {', 'tls: {'),
    /proxy\.yaml:\d+: applications\[0\]\.identifiedBy: terminal_tag needs endpoints without TLS, .*: listen\.connect has TLS/,
  ],
  [
    'session tags within TLS that ends before the proxy',
    identifiedBy('terminal_tag').replace('port: 8082 }', 'port: 8082, publicUrl: "wss://relay.example" }'),
    /identifiedBy: terminal_tag needs endpoints without TLS, .*: listen\.relay has TLS/,
  ],
  ['marks without a tag', identifiedBy('proxy_mark'), /identifiedBy: proxy_mark needs a zeroRatingTag/],
  [
    'marks without a gateway',
    identifiedBy('proxy_mark', 'CHAT').replace(/^gateway:.*\n( .*\n)*/m, ''),
    /identifiedBy: proxy_mark needs a gateway/,
  ],
  [
    'a tag for marks that are not made',
    identifiedBy('terminal_tag', 'CHAT'),
    /identifiedBy: has a zeroRatingTag, which is for proxy_mark alone/,
  ],
  [
    'a short secret',
    EXAMPLE.replace('secretFile: proxy-1.secret', 'secretFile: short'),
    /proxy\.yaml:\d+: dispatch\.secretFile: the secret is too short/,
  ],
  [
    'a secret that is not there',
    EXAMPLE.replace('secretFile: proxy-1.secret', 'secretFile: x'),
    /dispatch\.secretFile: cannot be read: ENOENT/,
  ],
  [
    'no secret',
    EXAMPLE.replace('secretFile: proxy-1.secret', ''),
    /dispatch: name either secretFile or secretVariable/,
  ],
])('%s is a fault with its line', (_, text, line) => {
  expect(() => load(text, {})).toThrow(line);
});

test('the variable that all proxies shared is refused with what to do; the gateway may know the proxy by another secret', () => {
  const shared = { ZERORATE_PROXY_SECRET: 'a secret of all proxies' };
  expect(() => load(EXAMPLE, shared)).toThrow(/ZERORATE_PROXY_SECRET is set, and no longer read/);
  const text = EXAMPLE.replace(/( *)# secretFile: gateway\.secret.*/, '$1secretVariable: GATEWAY_SECRET');
  const config = load(text, { GATEWAY_SECRET: 'of the gateway and this proxy' });
  expect(config.gatewaySecret.reveal()).toBe('of the gateway and this proxy');
  expect(config.secret.reveal()).toBe(SECRET);
});
