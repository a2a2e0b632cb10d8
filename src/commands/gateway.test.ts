import { generateKeyPairSync } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { packagePath } from '../platform/package-paths.ts';
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
  writeFileSync(join(folder, 'proxy-1.secret'), 'of the proxy\n');
  const { privateKey } = type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519');
  writeFileSync(join(folder, 'operator.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
}

test('the example is read with its secrets, which are not in it', () => {
  writeSecrets();
  expect(readGatewayConfig(file)).toMatchObject({
    nodeId: 'gateway-1',
    operatorSecret: 'of the operator',
    proxies: [{ proxyId: 'proxy-1', secret: 'of the proxy', addresses: ['127.0.0.1'] }],
    spool: join(folder, 'gateway-spool'),
    partialRecords: { afterMs: 5000, afterOctets: 2 ** 20 },
  });
});

test('what is wrong is said with file and line', () => {
  expect(() => readGatewayConfig(file)).toThrow(/gateway\.yaml:\d+: operatorSecretFile: cannot be read/);
  writeSecrets('x25519');
  expect(() => readGatewayConfig(file)).toThrow(/gateway\.yaml:\d+: identity\.privateKeyFile: .*Ed25519/);
  writeSecrets();
  writeFileSync(join(folder, 'proxy-1.secret'), '\n');
  expect(() => readGatewayConfig(file)).toThrow(
    /gateway\.yaml:\d+: proxies\[0\]\.secretFile: proxy-1\.secret is empty/,
  );
  writeFileSync(file, readFileSync(file, 'utf8').replace('127.64.0.0/16', 'somewhere'));
  expect(() => readGatewayConfig(file)).toThrow(/terminalAddresses: expected an IPv4 prefix/);
  expect(() => readGatewayConfig(join(folder, 'none.yaml'))).toThrow(/none\.yaml: cannot be read/);
});
