import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK } from 'jose';
import { afterAll, expect, test } from 'vitest';
import { makeAuthority } from '../../../../test/servers/certificates.ts';
import { Secret } from '../../../platform/config/secret.ts';
import { createLogger, loggerOn } from '../../../platform/telemetry/logger.ts';
import { parseCatalogue } from '../../../rating/catalogue/catalogue-compile.ts';
import type { Catalogue } from '../../../rating/catalogue.ts';
import { accountClaims, signAccountAssertion } from '../../protocol/account-assertion.ts';
import { CATALOGUE_TEXT, NOW_MS, TestClock } from '../dispatch.fixture.ts';
import type { AccountSettings } from './account-config-schema.ts';
import { Accounts, type AccountsOptions, readAccounts } from './accounts.ts';
import { operatorJwks } from './development-issuer.ts';

const folder = mkdtempSync(join(tmpdir(), 'zerorate-accounts-'));
const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true });
});

const logger = createLogger({ level: 'silent', format: 'json' });
const IDENTITY = { iss: 'operator', jti: '1' };
const CLAIM = { applicationId: 'chat', msisdn: '491701234567', subscriber: 'ab'.repeat(16), identity: IDENTITY };

/** The test catalogue with chat alone, and its key set in a file or at an address. */
function catalogueOf(keys: string): Catalogue {
  const text = CATALOGUE_TEXT.replace('{ id: chat, sponsor: acme }', `{ id: chat, sponsor: acme${keys} }`)
    .replace(/ {2}- \{ id: (talk|idle).*\n/g, '')
    .replace(/ {2}- id: talk-all[\s\S]*/, '');
  const { catalogue, faults } = parseCatalogue(text, 'catalogue.yaml');
  if (catalogue === undefined) throw new Error(JSON.stringify(faults));
  return catalogue;
}

const KEYS = ', accountKeys: { issuer: acme, jwksFile: keys/acme.jwks.json }';

function optionsOf(account?: Partial<AccountSettings>, http: object = {}): AccountsOptions {
  const config = {
    catalogue: join(folder, 'catalogue.yaml'),
    applications: account === undefined ? {} : { chat: { account: { subscribersPerAccount: 1, ...account } } },
    http: { host: '127.0.0.1', port: 0, trustedProxies: [], ...http },
    secrets: { callbacks: new Map([['chat', new Secret('sponsor-secret-0123')]]) },
  };
  return { config: config as unknown as AccountsOptions['config'], clock: new TestClock(), logger };
}

async function accountsOf(options: AccountsOptions, catalogue: Catalogue): Promise<Accounts> {
  return new Accounts(readAccounts(options, catalogue), logger);
}

async function writeKeys(...keys: object[]): Promise<void> {
  mkdirSync(join(folder, 'keys'), { recursive: true });
  writeFileSync(join(folder, 'keys/acme.jwks.json'), JSON.stringify({ keys }));
}

function assertion(privateKey: KeyObject, keyId = 'development'): Promise<string> {
  const statement = { issuer: 'acme', applicationId: 'chat', account: 'alice', identity: IDENTITY };
  return signAccountAssertion(accountClaims(statement, NOW_MS, 60), { keyId, privateKey });
}

test('without a way of verification it is refused by name, with what to configure', () => {
  expect(() => readAccounts(optionsOf(), catalogueOf(''))).toThrow(
    /application chat: no way of verifying its accounts.*accountKeys.*applications\.chat\.account/,
  );
});

test('with keys in the catalogue the sponsor’s assertions are accepted: of Ed25519 and of P-256, by a file beside it', async () => {
  const [ed, ec] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ec', { namedCurve: 'P-256' })];
  const [edKey] = (await operatorJwks(ed.privateKey)).keys;
  await writeKeys(edKey as object, { ...(await exportJWK(ec.publicKey)), kid: 'ec', alg: 'ES256', use: 'sig' });
  const accounts = await accountsOf(optionsOf(), catalogueOf(KEYS));
  for (const one of [await assertion(ed.privateKey), await assertion(ec.privateKey, 'ec')]) {
    expect(await accounts.verify({ ...CLAIM, assertion: one }, NOW_MS)).toMatchObject({ account: 'alice' });
  }
});

test.each<[string, () => Promise<object[]> | object[], RegExp]>([
  ['no key', () => [], /at least one key/],
  ['a private key', async () => [await exportJWK(generateKeyPairSync('ed25519').privateKey)], /public keys/],
  ['a shared secret', () => [{ kty: 'oct', k: 'AAAA' }], /public keys/],
  ['something else', () => [{ name: 'key' }], /kty/],
])('a key set of %s is refused', async (_, keys, fault) => {
  await writeKeys(...(await keys()));
  expect(() => readAccounts(optionsOf(), catalogueOf(KEYS))).toThrow(fault);
});

test('a key set file that is not there is refused by name', () => {
  const keys = ', accountKeys: { issuer: acme, jwksFile: none.json }';
  expect(() => readAccounts(optionsOf(), catalogueOf(keys))).toThrow(join(folder, 'none.json'));
});

test.each([
  ['nothing to read', ', accountKeys: { issuer: acme }'],
  ['two of it', ', accountKeys: { issuer: acme, jwksFile: a, jwksUrl: "https://a.example/" }'],
  ['an address in the clear', ', accountKeys: { issuer: acme, jwksUrl: "http://a.example/" }'],
])('a catalogue whose key set has %s is refused', (_, keys) => {
  expect(() => catalogueOf(keys)).toThrow(/accountKeys/);
});

test.each([
  ['all addresses', { host: '0.0.0.0' }],
  ['all addresses of IPv6', { host: '::' }],
  ['an address of the network', { host: '192.0.2.1' }],
  ['a name', { host: '127.0.0.1.example' }],
  ['a reverse proxy', { host: '127.0.0.1', trustedProxies: ['10.0.0.0/8'] }],
])('development is refused with %s', (_, http) => {
  expect(() => readAccounts(optionsOf({ way: 'development' }, http), catalogueOf(''))).toThrow(/loopback|127\.0\.0\.1/);
});

test('development accepts the terminal’s word, warns, and has to be chosen', async () => {
  const lines: string[] = [];
  const warned = loggerOn('warn', { write: (line) => void lines.push(line) });
  const options = { ...optionsOf({ way: 'development' }), logger: warned };
  const accounts = await accountsOf(options, catalogueOf(''));
  expect(lines.join()).toMatch(/ACCOUNTS ARE NOT VERIFIED/);
  expect(await accounts.verify({ ...CLAIM, wanted: 'alice' }, NOW_MS)).toEqual({ account: 'alice' });
  expect(await accounts.verify(CLAIM, NOW_MS)).toMatchObject({ refusal: 'account_unverified' });
});

test('none gives no session', async () => {
  const accounts = await accountsOf(optionsOf({ way: 'none' }), catalogueOf(KEYS));
  expect(await accounts.verify({ ...CLAIM, wanted: 'alice' }, NOW_MS)).toMatchObject({ refusal: 'account_unverified' });
});

test('a registry is read again, and one with a fault leaves the one of before in force', async () => {
  const file = join(folder, 'accounts.csv');
  writeFileSync(file, 'account,msisdn\nalice,491701234567\n');
  const options = optionsOf({ way: 'registry', registry: { file } });
  const catalogue = catalogueOf('');
  const accounts = await accountsOf(options, catalogue);
  expect(await accounts.verify(CLAIM, NOW_MS)).toEqual({ account: 'alice' });
  writeFileSync(file, 'account,msisdn\nbob,491701234567\n');
  accounts.take(readAccounts(options, catalogue, accounts.byApplication));
  expect(await accounts.verify(CLAIM, NOW_MS)).toEqual({ account: 'bob' });
  writeFileSync(file, 'account,msisdn\nbob,+491701234567\n');
  expect(() => readAccounts(options, catalogue, accounts.byApplication)).toThrow(/accounts\.csv:2: msisdn/);
  expect(await accounts.verify(CLAIM, NOW_MS)).toEqual({ account: 'bob' });
});

test('a callback verifies the certificate of the sponsor, and keeps its state when all is read again', async () => {
  const authority = await makeAuthority(join(folder, 'tls'), 'sponsor');
  const { cert, key } = await authority.issue('accounts');
  let asked = 0;
  const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (_, response) => {
    asked += 1;
    response.end(JSON.stringify({ msisdn: CLAIM.msisdn, account: 'alice' }));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const callback = { url, secretFile: '', timeoutMs: 2000, cacheIntervalMs: 60_000, retryDelayMs: 1000 };
  const catalogue = catalogueOf('');
  const distrusting = await accountsOf(optionsOf({ way: 'callback', callback }), catalogue);
  expect(await distrusting.verify(CLAIM, NOW_MS)).toMatchObject({ refusal: 'account_unverified', retryAfterMs: 1000 });
  expect(asked).toBe(0);
  const options = optionsOf({ way: 'callback', callback: { ...callback, tls: { caFile: authority.ca } } });
  const accounts = await accountsOf(options, catalogue);
  expect(await accounts.verify(CLAIM, NOW_MS)).toEqual({ account: 'alice' });
  accounts.take(readAccounts(options, catalogue, accounts.byApplication));
  expect(await accounts.verify(CLAIM, NOW_MS)).toEqual({ account: 'alice' });
  expect(asked).toBe(1);
  // With other settings it is another one: what the former has cached is not used.
  const other = optionsOf({
    way: 'callback',
    callback: { ...callback, tls: { caFile: authority.ca }, cacheIntervalMs: 1 },
  });
  accounts.take(readAccounts(other, catalogue, accounts.byApplication));
  expect(await accounts.verify(CLAIM, NOW_MS)).toEqual({ account: 'alice' });
  expect(asked).toBe(2);
});
