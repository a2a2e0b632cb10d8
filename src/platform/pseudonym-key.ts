import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from './config-error.ts';

const KEY_OCTETS = 32;

export const PSEUDONYM_KEY_RULE = 'expected at least 64 hex digits (32 octets); `openssl rand -hex 32` makes one';

export function isPseudonymKey(hex: string): boolean {
  return /^([\da-fA-F]{2}){32,}$/.test(hex);
}

/** The key that a text holds, with nothing else but white space. */
export function parsePseudonymKey(text: string, origin: string): Buffer {
  const hex = text.trim();
  if (!isPseudonymKey(hex)) throw new ConfigError(`${origin}: ${PSEUDONYM_KEY_RULE}`);
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
