import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { createLocalJWKSet, decodeJwt } from 'jose';
import { afterAll, expect, test, vi } from 'vitest';
import { assertionVerifier } from '../../sessions/dispatch/accounts/accounts.ts';
import { operatorVerifier } from '../../sessions/dispatch/accounts/operator-keys.ts';
import { registerAssertion } from './assertion.ts';

const folder = mkdtempSync(join(tmpdir(), 'zerorate-assertion-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What the command prints. */
async function assertion(...args: string[]): Promise<string> {
  const program = new Command('zerorate').exitOverride().configureOutput({ writeErr: () => {} });
  registerAssertion(program);
  for (const command of program.commands) command.exitOverride().configureOutput({ writeErr: () => {} });
  const printed: string[] = [];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => printed.push(String(text)) > 0);
  try {
    await program.parseAsync(['node', 'zerorate', 'assertion', ...args]);
  } finally {
    write.mockRestore();
  }
  return printed.join('').trim();
}

const keys = (path: string) => createLocalJWKSet(JSON.parse(readFileSync(`${path}.jwks.json`, 'utf8')));
const operator = join(folder, 'operator.key');
const sponsor = join(folder, 'sponsor.key');
const ofIdentity = ['--msisdn', '491701234567', '--terminal-ip', '127.0.0.1', '--key', operator];
const ofAccount = ['--application', 'chatter', '--account', 'alice', '--key', sponsor];

test('an account assertion verifies together with the identity assertion that it is made for', async () => {
  const identity = await assertion(...ofIdentity);
  const verified = await operatorVerifier(new Map([['development', keys(operator)]])).verify(identity, Date.now());
  expect(verified.refusal).toBeUndefined();
  const account = await assertion(...ofAccount, '--identity-assertion', identity);
  const verifier = assertionVerifier({ applicationId: 'chatter', issuer: 'development', getKey: keys(sponsor) });
  const { iss = '', jti = '' } = decodeJwt(identity);
  const claim = { applicationId: 'chatter', msisdn: '491701234567', subscriber: '', assertion: account };
  expect(await verifier.verify({ ...claim, identity: { iss, jti } }, Date.now())).toMatchObject({ account: 'alice' });
  expect(await verifier.verify({ ...claim, identity: { iss, jti: 'another' } }, Date.now())).toMatchObject({
    refusal: 'account_unverified',
  });
});

test('an assertion holds for an hour at most, as a dispatch server refuses others', async () => {
  const { iat = 0, exp = 0 } = decodeJwt(await assertion(...ofIdentity, '--seconds', '3600'));
  expect(exp - iat).toBe(3600);
  for (const seconds of ['3601', '0', '-1', '1e3', '86400']) {
    await expect(assertion(...ofIdentity, '--seconds', seconds)).rejects.toThrow(/at most 3600/);
  }
});

test.each<[string, string[]]>([
  ['neither kind', ['--key', operator]],
  ['half of an identity', ['--msisdn', '491701234567', '--key', operator]],
  ['an account that is bound to nothing', ofAccount],
  ['both kinds', [...ofIdentity, '--account', 'alice']],
])('refused: %s', async (_, args) => {
  await expect(assertion(...args)).rejects.toThrow(/which assertion\?/);
});

test('refused: a name that is no account, an identity assertion that is none', async () => {
  await expect(assertion(...ofAccount, '--account', 'ali\u200bce')).rejects.toThrow(/Expected an account/);
  await expect(assertion(...ofAccount, '--identity-assertion', 'text')).rejects.toThrow(/--identity-assertion: not an/);
});
