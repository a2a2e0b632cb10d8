import { createHash, timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';

const MIN_LENGTH = 16;
const MOST = 2;
const REDACTED = '[redacted]';
/** The variable that all proxies shared. */
const SHARED_VARIABLE = 'ZERORATE_PROXY_SECRET';

/**
 * The secret that two components share, as its file or variable holds it: one a line, two while it is rotated. The first is sent, each
 * is accepted. It does not show itself when it is printed, logged or made JSON.
 */
export class PeerSecret {
  readonly #secrets: readonly string[];
  readonly #digests: readonly Buffer[];

  private constructor(secrets: readonly string[]) {
    this.#secrets = secrets;
    this.#digests = secrets.map(digestOf);
  }

  static of(text: string): PeerSecret {
    return new PeerSecret(linesOf(text));
  }

  /** The one to send. */
  reveal(): string {
    return this.#secrets[0] ?? '';
  }

  /** Whether it is one of the accepted secrets. The time depends on neither the guess nor on which one it is. */
  matches(given: string | undefined): boolean {
    if (given === undefined) return false;
    const digest = digestOf(given);
    return this.#digests.filter((own) => timingSafeEqual(own, digest)).length > 0;
  }

  /** Whether a secret is accepted by both. */
  overlaps(other: PeerSecret): boolean {
    return this.#secrets.some((secret) => other.matches(secret));
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}

export interface PeerSecretSource {
  /** Absolute path. */
  file?: string | undefined;
  /** Name of an environment variable. */
  variable?: string | undefined;
}

export type PeerSecretRead = { secret: PeerSecret; fault?: undefined } | { fault: string };

/** Reads a secret from the one place that is named; the fault says what to do, and nothing of the secret. */
export function readPeerSecret(
  { file, variable }: PeerSecretSource,
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string,
): PeerSecretRead {
  if ((file === undefined) === (variable === undefined)) {
    return { fault: 'name either secretFile or secretVariable, the place of the secret of this proxy alone' };
  }
  let text: string;
  try {
    text = file === undefined ? (env[variable ?? ''] ?? '') : readFile(file);
  } catch (error) {
    return { fault: `cannot be read: ${(error as Error).message}` };
  }
  const secrets = linesOf(text);
  const place = file === undefined ? `the environment variable ${variable}` : 'the file';
  if (secrets.length === 0) return { fault: `${place} holds no secret: \`openssl rand -hex 32\` makes one` };
  if (secrets.length > MOST) {
    return { fault: `${place} holds ${secrets.length} lines: expected one secret, or two while it is rotated` };
  }
  if (secrets.some((secret) => secret.length < MIN_LENGTH)) {
    return { fault: `the secret is too short: at least ${MIN_LENGTH} characters, such as of \`openssl rand -hex 32\`` };
  }
  return { secret: PeerSecret.of(text) };
}

/** A fault where the variable is set that all proxies once shared, and no field names it; else null. */
export function sharedSecretFault(
  env: Readonly<Record<string, string | undefined>>,
  named: readonly (string | undefined)[],
): string | null {
  if ((env[SHARED_VARIABLE] ?? '') === '' || named.includes(SHARED_VARIABLE)) return null;
  return (
    `${SHARED_VARIABLE} is set, and no longer read: each proxy has a secret of its own. Name it by secretFile or secretVariable, ` +
    `in dispatch.yaml at proxies.<id>, in proxy.yaml at dispatch, in gateway.yaml at proxies[]; then unset ${SHARED_VARIABLE}`
  );
}

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
