import { hash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { ConfigError } from './config/config-error.ts';

const KEY_OCTETS = 32;
const VERSION = 1;

const keySchema = z.strictObject({
  version: z.literal(VERSION),
  /** What became of the key: its beginning, and each erasure. */
  history: z
    .array(
      z.strictObject({
        fingerprint: z.string().regex(/^[\da-f]{32}$/),
        erasedAt: z.iso.datetime().nullable(),
        who: z.string(),
        why: z.string(),
      }),
    )
    .min(1),
  /** Keys by the digits of the numbers below them, or by a dot and those of accounts, a tree for each life that a number may have. */
  generations: z
    .array(z.record(z.string().regex(/^(\d{0,15}\.?|\.\d{0,14}\.?)$/), z.string().regex(/^[\da-f]{64}$/)))
    .min(1),
});

/** A state of a key: as it was made, or after an erasure. */
export type KeyState = z.output<typeof keySchema>['history'][number];

/**
 * A key's history beside the one that is stored. `older`: the store knows of erasures that the key does not; `newer`: the key
 * has been through erasures that are not stored yet; `another`: the two have parted, or never were one.
 */
export interface KeyComparison {
  verdict: 'same' | 'older' | 'newer' | 'another';
  /** States of a key that are stored; 0 before the first. */
  booked: number;
}

/** Compares the stored fingerprints of a key's states with those of a key, both oldest first. */
export function compareKeyStates(stored: readonly string[], states: readonly string[]): KeyComparison {
  const booked = stored.length;
  const isShared = stored.every((fingerprint, at) => at >= states.length || states[at] === fingerprint);
  if (!isShared) return { verdict: 'another', booked };
  if (booked > states.length) return { verdict: 'older', booked };
  return { verdict: booked === states.length ? 'same' : 'newer', booked };
}

/** The key of the subscribers' pseudonyms as a file has it. */
export type StoredPseudonymKey = Pick<z.output<typeof keySchema>, 'history' | 'generations'>;

const PSEUDONYM_KEY_RULE = 'expected at least 64 hex digits (32 octets); `openssl rand -hex 32` makes one';

/** A key from which no subscriber was erased: hex digits alone, which an environment variable can hold. */
export function isWholeKey(text: string): boolean {
  return /^([\da-fA-F]{2}){32,}$/.test(text.trim());
}

/** The key that a text holds: hex digits, or the JSON that an erasure writes. Throws a ConfigError, which does not quote it. */
export function parsePseudonymKey(text: string, origin: string): StoredPseudonymKey {
  const { key, fault } = readPseudonymKey(text);
  if (key === undefined) throw new ConfigError(`${origin}: ${fault}`);
  return key;
}

/** The same as a value. */
export function readPseudonymKey(
  text: string,
): { key: StoredPseudonymKey; fault?: undefined } | { key?: undefined; fault: string } {
  if (isWholeKey(text)) return { key: wholeKey(text.trim().toLowerCase()) };
  if (!text.trimStart().startsWith('{')) return { fault: PSEUDONYM_KEY_RULE };
  const parsed = keySchema.safeParse(parsedJson(text));
  if (parsed.success) {
    const { history, generations } = parsed.data;
    if (fingerprintOf(generations) === history[history.length - 1].fingerprint)
      return { key: { history, generations } };
  }
  return { fault: `is no whole key file of version ${VERSION}; take a copy that was not changed` };
}

/** The key after an erasure, with its trees as the erasure left them. */
export function erasedKey(
  { history }: StoredPseudonymKey,
  generations: StoredPseudonymKey['generations'],
  erasure: { erasedAt: string; who: string; why: string },
): StoredPseudonymKey {
  return { history: [...history, { fingerprint: fingerprintOf(generations), ...erasure }], generations };
}

/** The text of a key's file. */
export function formatPseudonymKey({ history, generations }: StoredPseudonymKey): string {
  return `${JSON.stringify({ version: VERSION, history, generations })}\n`;
}

/**
 * The development key of an embedded store. Made on the first run; in production the configuration names a key, as
 * subscribers' pseudonyms are worth what the key's secrecy is worth.
 */
export async function developmentKey(
  directory: string,
): Promise<{ key: StoredPseudonymKey; path: string; isNew: boolean }> {
  const path = join(directory, 'development-pseudonym.key');
  const known = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (known !== null) return { key: parsePseudonymKey(known, path), path, isNew: false };
  const text = `${randomBytes(KEY_OCTETS).toString('hex')}\n`;
  await writeFile(path, text, { mode: 0o600, flag: 'wx' });
  return { key: parsePseudonymKey(text, path), path, isNew: true };
}

function wholeKey(hex: string): StoredPseudonymKey {
  const generations = [{ '': hash('sha256', `zerorate pseudonyms ${hex}`, 'hex') }];
  return { generations, history: [{ fingerprint: fingerprintOf(generations), erasedAt: null, who: '', why: '' }] };
}

/** Distinguishes keys and their states and says nothing else of them: it is in the store, and may be in a log. */
function fingerprintOf(generations: StoredPseudonymKey['generations']): string {
  return hash('sha256', `zerorate key fingerprint ${JSON.stringify(generations)}`, 'hex').slice(0, 32);
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
