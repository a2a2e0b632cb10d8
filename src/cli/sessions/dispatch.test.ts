import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { packagePath } from '../../platform/package-paths.ts';
import { developmentIssuerKey } from '../../sessions/dispatch/accounts/development-issuer.ts';
import { registerDispatch } from './dispatch.ts';

let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'zerorate-dispatch-'));
  for (const name of ['dispatch.yaml', 'catalogue.yaml', 'accounts.csv']) {
    copyFileSync(packagePath(`fixtures/demo/${name}`), join(folder, name));
  }
  await developmentIssuerKey(join(folder, 'operator.key'));
  vi.stubEnv('ZERORATE_PSEUDONYM_KEY', 'ab'.repeat(32));
  for (const name of ['operator', 'proxy-1']) writeFileSync(join(folder, `${name}.secret`), `${name}-0123456789abcdef`);
  vi.stubEnv('ZERORATE_OPERATOR_SECRET', 'operator-0123456789abcdef');
  vi.stubEnv('ZERORATE_PROXY_1_SECRET', 'proxy-1-0123456789abcdef');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function change(name: string, piece: string, replacement: string): void {
  const file = join(folder, name);
  const text = readFileSync(file, 'utf8');
  expect(text).toContain(piece);
  writeFileSync(file, text.replace(piece, replacement));
}

/** Checks the configuration; resolves with what is printed. */
async function check(): Promise<string> {
  const printed: string[] = [];
  const print = (text: unknown) => printed.push(String(text)) > 0;
  const spies = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, 'write').mockImplementation(print));
  const program = new Command('zerorate').exitOverride();
  registerDispatch(program);
  try {
    await program.parseAsync(['node', 'zerorate', 'dispatch', '--check', '--config', join(folder, 'dispatch.yaml')]);
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return printed.join('');
}

test('the example is good', async () => {
  expect(await check()).toMatch(/it is good/);
});

test('an application without a way of verifying accounts is refused by name, until the catalogue names its keys', async () => {
  change('dispatch.yaml', '  lumen-live: { account: { way: none } }\n', '');
  await expect(check()).rejects.toThrow(/application lumen-live: no way of verifying its accounts.*accountKeys/);
  const keys = '{ issuer: lumen, jwksFile: operator.key.jwks.json }';
  change(
    'catalogue.yaml',
    '  - id: lumen-live\n    sponsor: lumen\n    match',
    `  - id: lumen-live\n    sponsor: lumen\n    accountKeys: ${keys}\n    match`,
  );
  expect(await check()).toMatch(/it is good/);
});

test('a registry with a fault is refused with its line', async () => {
  writeFileSync(join(folder, 'accounts.csv'), 'account,msisdn\nalice,+15550100001\n');
  await expect(check()).rejects.toThrow(/accounts\.csv:2: msisdn/);
});

test('accounts without proof are warned of, and refused where the server can be reached from elsewhere', async () => {
  change('dispatch.yaml', 'lumen-live: { account: { way: none } }', 'lumen-live: { account: { way: development } }');
  expect(await check()).toMatch(/WARNING: accounts of lumen-live are NOT VERIFIED/);
  change('dispatch.yaml', 'host: 127.0.0.1', 'host: 0.0.0.0');
  await expect(check()).rejects.toThrow(
    /applications\.lumen-live\.account: way development accepts any account without proof/,
  );
});
