import type { KeyObject } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { ProblemLog } from '../../platform/telemetry/problem-log.ts';
import { type FindTagKey, type KeyLookup, sessionTagKeys } from '../protocol/session-tag.ts';

/** A token of an unknown key makes the keys be fetched again, at most once in this time. */
const ASK_AGAIN_MS = 5000;
/** A key that the dispatch server no longer has is accepted for so long. */
const REFRESH_MS = 300_000;

export interface DispatchKeySetOptions {
  /** Where the last keys are kept, so that a start without the dispatch server works. */
  path: string;
  /** Rejects when they cannot be had. */
  fetch: () => Promise<unknown>;
  clock: Clock;
  logger: Logger;
}

/** The dispatch server's public keys. */
export class DispatchKeySet {
  readonly #options: DispatchKeySetOptions;
  readonly #problems: ProblemLog;
  #find: JWTVerifyGetKey | null = null;
  #tagKeys: ReadonlyMap<string, KeyObject> = new Map();
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | null = null;
  #disarm: () => void = () => {};

  constructor(options: DispatchKeySetOptions) {
    this.#options = options;
    this.#problems = new ProblemLog('signingKeys', options.logger);
  }

  get areKnown(): boolean {
    return this.#find !== null;
  }

  async start(): Promise<void> {
    const kept = await readFile(this.#options.path, 'utf8').catch(() => null);
    if (kept !== null) this.#take(kept);
    await this.#refresh();
  }

  stop(): void {
    this.#disarm();
  }

  /** For `verifySessionToken`. Rejects with JWKSNoMatchingKey for an unknown key, and with JWKSTimeout while there are no keys. */
  readonly getKey: JWTVerifyGetKey = async (header, token) => {
    try {
      return await this.#look(header, token);
    } catch (error) {
      const isUnknown = error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSTimeout;
      if (!isUnknown || !(await this.#askAgain())) throw error;
      return this.#look(header, token);
    }
  };

  /** For `verifySessionTag`, by the same keys. */
  readonly findTagKey: FindTagKey = (keyHint) => {
    const lookUp = (): KeyLookup => this.#tagKeys.get(keyHint) ?? (this.areKnown ? 'unknown' : 'unreachable');
    const known = lookUp();
    return typeof known === 'string' ? this.#askAgain().then(lookUp) : known;
  };

  async #look(...[header, token]: Parameters<JWTVerifyGetKey>): Promise<Awaited<ReturnType<JWTVerifyGetKey>>> {
    if (this.#find === null) throw new errors.JWKSTimeout('no keys of the dispatch server yet');
    return this.#find(header, token);
  }

  /** False when it was done a moment ago. */
  async #askAgain(): Promise<boolean> {
    const { clock } = this.#options;
    if (this.#asking === null && clock.monotonicMs() - this.#askedAtMs < ASK_AGAIN_MS) return false;
    await this.#ask();
    return true;
  }

  async #refresh(): Promise<void> {
    await this.#ask();
    this.#disarm = this.#options.clock.after(this.areKnown ? REFRESH_MS : ASK_AGAIN_MS, () => void this.#refresh());
  }

  #ask(): Promise<void> {
    this.#asking ??= this.#fetch().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #fetch(): Promise<void> {
    const { path, fetch, clock } = this.#options;
    this.#askedAtMs = clock.monotonicMs();
    try {
      const text = JSON.stringify(await fetch());
      if (!this.#take(text)) return;
      this.#problems.over('the keys of the dispatch server were fetched');
      await writeFile(`${path}.new`, text);
      await rename(`${path}.new`, path);
    } catch (error) {
      const message = 'the keys of the dispatch server cannot be fetched; those of before are used, if there are any';
      this.#problems.report((error as Error).message, message);
    }
  }

  /** False when they are none. */
  #take(text: string): boolean {
    try {
      const keySet = JSON.parse(text) as JSONWebKeySet;
      this.#find = createLocalJWKSet(keySet);
      this.#tagKeys = sessionTagKeys(keySet);
      return true;
    } catch (error) {
      this.#problems.report((error as Error).message, 'the keys of the dispatch server are not readable');
      return false;
    }
  }
}
