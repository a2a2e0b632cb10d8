import { open } from 'node:fs/promises';
import type { Command } from 'commander';
import {
  currentStatementKey,
  formatSigningKeys,
  newSigningKeys,
  publicKeySet,
  rotatedKeys,
} from '../../finance/statements/statement-signing-key.ts';
import { systemClock } from '../../platform/clock.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { rewriteFile } from '../../platform/rewrite-file.ts';
import { writeOutput } from '../write-output.ts';
import { parsedSigningKeys, readSigningKeys } from './load-signing-key.ts';

interface KeyFileOptions {
  key: string;
}

export function registerSigningKey(program: Command): void {
  const command = program
    .command('signing-key')
    .description('make, publish and rotate the key that statements are signed with');
  withKey(command.command('create'))
    .description('create a key file: an Ed25519 key that only its owner can read')
    .action(create);
  withKey(command.command('show'))
    .description('write the public key set (JWKS), which `verify --keys` reads: to be published')
    .option('--out <file>', 'the file to write; without it standard output')
    .action(show);
  withKey(command.command('rotate'))
    .description('sign with a new key from now on; what the previous key signed can still be verified')
    .option('--compromised', 'the private key was disclosed: take its public key out of the set too', false)
    .action(rotate);
  command.addHelpText(
    'after',
    `
Examples:
  $ zerorate signing-key create --key signing-key.json
  $ zerorate signing-key show --key signing-key.json --out operator-keys.json
  $ zerorate signing-key rotate --key signing-key.json
  $ zerorate statement --sponsor chatter --month 2026-10 --out statement.json --signing-key signing-key.json --store ./zerorate-data
  $ zerorate verify statement.json rows.csv --keys operator-keys.json

Publish the key set again after each rotation, before the first statement under the new key is delivered.`,
  );
}

function withKey(command: Command): Command {
  return command.requiredOption('--key <file>', 'the key file; it holds the private key');
}

async function create({ key: path }: KeyFileOptions): Promise<void> {
  const keys = newSigningKeys(systemClock.nowMs());
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(formatSigningKeys(keys));
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const why =
      code === 'EEXIST'
        ? 'is there already; `zerorate signing-key rotate` replaces its key'
        : `cannot be written: ${message}`;
    throw new ConfigError(`${path}: ${why}`);
  }
  process.stdout.write(
    `${path}: made key ${currentStatementKey(keys).keyId}; publish \`zerorate signing-key show --key ${path}\`\n`,
  );
}

async function show({ key: path, out }: KeyFileOptions & { out?: string }): Promise<void> {
  await writeOutput(out, `${JSON.stringify(publicKeySet(readSigningKeys(path)), null, 2)}\n`);
}

async function rotate({ key: path, compromised }: KeyFileOptions & { compromised: boolean }): Promise<void> {
  readSigningKeys(path);
  let [before, now] = ['', ''];
  await rewriteFile(path, async (text) => {
    const keys = parsedSigningKeys(text, path);
    const rotated = rotatedKeys(keys, systemClock.nowMs(), compromised);
    [before, now] = [currentStatementKey(keys).keyId, currentStatementKey(rotated).keyId];
    return formatSigningKeys(rotated);
  });
  const became = compromised ? 'is out of the key set: sign its statements again' : 'stays in the key set';
  process.stdout.write(`${path}: key ${now} signs from now on; key ${before} ${became}. Publish the key set again\n`);
}
