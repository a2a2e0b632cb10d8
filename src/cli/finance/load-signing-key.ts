import { existsSync, readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { readConfig } from '../../engine/assembly/read-config.ts';
import { SIGNATURE_ENDING, signOctets } from '../../finance/statements/statement-signature.ts';
import {
  currentStatementKey,
  parseSigningKeys,
  type StatementSigningKey,
  type StatementSigningKeys,
} from '../../finance/statements/statement-signing-key.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { writeOutput } from '../write-output.ts';

/** A group may read the file, as that of a mounted secret does; nothing more. */
const FORBIDDEN_MODE = 0o037;

/** Options of a command that signs. */
export interface SigningOptions {
  config?: string;
  signingKey?: string;
}

/** The key that signs, from `--signing-key`, the configuration or ZERORATE_SIGNING_KEY_FILE; null where none is named. */
export function configuredSigningKey({ signingKey, config }: SigningOptions): StatementSigningKey | null {
  const path =
    signingKey ??
    (config === undefined ? process.env.ZERORATE_SIGNING_KEY_FILE || null : readConfig({ config }).signingKeyFile);
  return path === null ? null : currentStatementKey(readSigningKeys(path));
}

/** The keys of a file. Throws a ConfigError for a file that others may read, and for one that is not a whole key file. */
export function readSigningKeys(path: string): StatementSigningKeys {
  let text: string;
  try {
    const mode = statSync(path).mode & 0o777;
    if (process.platform !== 'win32' && (mode & FORBIDDEN_MODE) !== 0) {
      throw new ConfigError(
        `${path}: has mode ${mode.toString(8).padStart(4, '0')}, so that others can read or change the private key; run \`chmod 600 ${path}\``,
      );
    }
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(
      `${path}: cannot be read: ${(error as Error).message}; \`zerorate signing-key create --key FILE\` makes a key`,
    );
  }
  return parsedSigningKeys(text, path);
}

/** The keys of a file's text. Throws a ConfigError, which does not quote it. */
export function parsedSigningKeys(text: string, path: string): StatementSigningKeys {
  const keys = parseSigningKeys(text);
  if (keys !== null) return keys;
  throw new ConfigError(
    `${path}: is not a whole key file of \`zerorate signing-key create\`; take a copy that was not changed`,
  );
}

/**
 * Writes a statement’s JSON and its signature beside it. Without a key, a signature that is there and is of another text is
 * removed. Rejects with a ConfigError where a file cannot be written.
 */
export async function writeSignedJson(path: string, text: string, key: StatementSigningKey | null): Promise<void> {
  const octets = Buffer.from(text);
  const signature = `${path}${SIGNATURE_ENDING}`;
  if (key === null && !(existsSync(path) && readFileSync(path).equals(octets))) await rm(signature, { force: true });
  await writeOutput(path, octets);
  if (key !== null) await writeOutput(signature, await signOctets(octets, key));
}
