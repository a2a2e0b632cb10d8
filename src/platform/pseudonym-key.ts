import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from './config-error.ts';

const KEY_OCTETS = 32;

/** Reads a key: 64 hex digits or more, with nothing else but white space. */
export function parsePseudonymKey(text: string, origin: string): Buffer {
  const hex = text.trim();
  if (!/^([0-9a-fA-F]{2})+$/.test(hex) || hex.length < KEY_OCTETS * 2) {
    throw new ConfigError(
      `${origin}: a pseudonym key is at least ${KEY_OCTETS * 2} hex digits; \`openssl rand -hex 32\` makes one`,
    );
  }
  return Buffer.from(hex, 'hex');
}

/**
 * The development key of an embedded store. Made on the first run; whoever runs it for real names a key of their own, as
 * subscribers' pseudonyms are worth what the key's secrecy is worth.
 */
export async function developmentKey(directory: string): Promise<{ key: Buffer; path: string; isNew: boolean }> {
  const path = join(directory, 'development-pseudonym.key');
  const known = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (known !== null) return { key: parsePseudonymKey(known, path), path, isNew: false };
  const key = randomBytes(KEY_OCTETS);
  await writeFile(path, `${key.toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
  return { key, path, isNew: true };
}
