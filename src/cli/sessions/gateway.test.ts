import { generateKeyPairSync } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { packagePath } from '../../platform/package-paths.ts';
import { readGatewayConfig } from './gateway.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerorate-gateway-'));
  file = join(folder, 'gateway.yaml');
  copyFileSync(packagePath('fixtures/demo/gateway.yaml'), file);
});
afterEach(() => rmSync(folder, { recursive: true }));

function writeSecrets(type: 'ed25519' | 'x25519' = 'ed25519'): void {
  writeFileSync(join(folder, 'operator.secret'), 'of the operator\n');
  writeFileSync(join(folder, 'proxy-1.secret'), 'of the proxy alone\n');
  const { privateKey } = type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519');
  writeFileSync(join(folder, 'operator.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
}

test('the example is read with its secrets, which are not in it', () => {
  writeSecrets();
  expect(readGatewayConfig(file)).toMatchObject({
    nodeId: 'gateway-1',
    operatorSecret: 'of the operator',
    proxies: [{ proxyId: 'proxy-1', addresses: ['127.0.0.1'] }],
    spool: join(folder, 'gateway-spool'),
    partialRecords: { intervalMs: 5000, afterOctets: 2 ** 20 },
  });
});

test('what is wrong is said with file and line', () => {
  expect(() => readGatewayConfig(file)).toThrow(/gateway\.yaml:\d+: operatorSecretFile: cannot be read/);
  writeSecrets('x25519');
  expect(() => readGatewayConfig(file)).toThrow(/gateway\.yaml:\d+: identity\.privateKeyFile: .*Ed25519/);
  writeSecrets();
  writeFileSync(join(folder, 'proxy-1.secret'), '\n');
  expect(() => readGatewayConfig(file)).toThrow(
    /gateway\.yaml:\d+: proxies\[0\]\.secretFile: the file holds no secret/,
  );
  writeFileSync(file, readFileSync(file, 'utf8').replace('127.64.0.0/16', 'somewhere'));
  expect(() => readGatewayConfig(file)).toThrow(/terminalAddresses: expected an IPv4 prefix/);
  expect(() => readGatewayConfig(join(folder, 'none.yaml'))).toThrow(/none\.yaml: cannot be read/);
});

test('two proxies have neither one secret nor one id, and none has the one that all shared', () => {
  writeSecrets();
  const [proxy] = /^ {2}- \{ proxyId.*$/m.exec(readFileSync(file, 'utf8')) ?? [''];
  const second = proxy.replace('proxy-1,', 'proxy-2,');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace(proxy, `${proxy}\n${second}`));
  expect(() => readGatewayConfig(file)).toThrow(/proxies\[1\]: has the secret of proxy-1, too/);
  writeFileSync(file, text.replace(proxy, `${proxy}\n${proxy}`));
  expect(() => readGatewayConfig(file)).toThrow(/proxies\[1\]: proxy-1 is there twice/);
  writeFileSync(file, text);
  const env = { ZERORATE_PROXY_SECRET: 'the secret of all proxies' };
  expect(() => readGatewayConfig(file, env)).toThrow(/ZERORATE_PROXY_SECRET is set, and no longer read/);
  expect(readGatewayConfig(file, {}).proxies[0].secret.matches('of the proxy alone')).toBe(true);
});
