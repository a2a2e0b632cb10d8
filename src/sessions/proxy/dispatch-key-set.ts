import type { KeyObject } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { ProblemLog } from '../../platform/telemetry/problem-log.ts';
import { KeyRefresh } from '../protocol/key-refresh.ts';
import { type FindTagKey, type KeyLookup, sessionTagKeys } from '../protocol/session-tag.ts';

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
  readonly #refresh: KeyRefresh;
  #find: JWTVerifyGetKey | null = null;
  #tagKeys: ReadonlyMap<string, KeyObject> = new Map();

  constructor(options: DispatchKeySetOptions) {
    const { clock, logger } = options;
    this.#options = options;
    this.#problems = new ProblemLog('signingKeys', logger);
    const message = 'the keys of the dispatch server cannot be fetched; those of before are used, if there are any';
    const onFailure = (error: Error) => this.#problems.report(error.message, message);
    this.#refresh = new KeyRefresh({ clock, onFailure, fetch: () => this.#fetch() });
  }

  get areKnown(): boolean {
    return this.#find !== null;
  }

  async start(): Promise<void> {
    const kept = await readFile(this.#options.path, 'utf8').catch(() => null);
    try {
      if (kept !== null) this.#take(kept);
    } catch (error) {
      this.#problems.report((error as Error).message, 'the kept keys of the dispatch server are not readable');
    }
    await this.#refresh.start();
  }

  /** What waits for a key gets its answer after one last fetch. */
  stop(): void {
    this.#refresh.stop();
  }

  /**
   * For `verifySessionToken`. Looks up a key that is not known again after the next fetch, and then rejects with JWKSNoMatchingKey, or
   * with JWKSTimeout while there are no keys.
   */
  readonly getKey: JWTVerifyGetKey = async (header, token) => {
    try {
      return await this.#look(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSTimeout)) throw error;
      await this.#refresh.next();
      return this.#look(header, token);
    }
  };

  /** For `verifySessionTag`, by the same keys. */
  readonly findTagKey: FindTagKey = (keyHint) => {
    const lookUp = (): KeyLookup => this.#tagKeys.get(keyHint) ?? (this.areKnown ? 'unknown' : 'unreachable');
    const known = lookUp();
    return typeof known === 'string' ? this.#refresh.next().then(lookUp) : known;
  };

  async #look(...[header, token]: Parameters<JWTVerifyGetKey>): Promise<Awaited<ReturnType<JWTVerifyGetKey>>> {
    if (this.#find === null) throw new errors.JWKSTimeout('no keys of the dispatch server yet');
    return this.#find(header, token);
  }

  async #fetch(): Promise<void> {
    const { path, fetch } = this.#options;
    const text = JSON.stringify(await fetch());
    this.#take(text);
    this.#problems.over('the keys of the dispatch server were fetched');
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  }

  /** Throws where the text is no set of keys; those of before stay. */
  #take(text: string): void {
    const keySet = JSON.parse(text) as JSONWebKeySet;
    const [find, tagKeys] = [createLocalJWKSet(keySet), sessionTagKeys(keySet)];
    this.#find = find;
    this.#tagKeys = tagKeys;
  }
}
