import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { type Database, open, type RootDatabase } from 'lmdb';
import { removeUnfinishedRewrites, rewriteLmdb } from '../../platform/rewrite-lmdb.ts';
import type { ReportedUsage } from '../protocol/dispatch-messages.ts';
import type { OneTimeAssertion } from './accounts/account-verifier.ts';
import type { DispatchSession } from './dispatch-session.ts';
import { ErasedEntries } from './erasure/erased-entries.ts';
import type { QuotaAccount } from './quota/quota-account.ts';
import type { StoredKey } from './token-signing-keys.ts';

/** Facts by their names. */
interface Facts {
  instanceId: string;
  suspendedSponsors: string[];
  signingKeys: StoredKey[];
  /** Fingerprints of the states of the pseudonym key that the subscribers in here are known by, oldest first. */
  pseudonymKeyStates: string[];
}

/** Every database of the store: an erasure looks into each. */
export const DATABASES = [
  'accounts',
  'live',
  'settled',
  'places',
  'reports',
  'report-times',
  'offsets',
  'facts',
  'used-assertions',
  'account-bindings',
] as const;

/** An account of an application. */
export interface AccountName {
  applicationId: string;
  account: string;
}

/** That a subscriber uses an account. */
export interface AccountBinding {
  /** Pseudonym. */
  subscriber: string;
  boundAtMs: number;
}

const REPORTS_AT_ONCE = 500;
/** After every text that a key has. */
const LAST = '\uffff';

const PRUNE_INTERVAL_MS = 60_000;

/**
 * All that the dispatch server must not forget, in LMDB: one directory, one process. What is decided from what is written is
 * done in one `transaction`, which runs alone.
 */
export class DispatchStore {
  readonly #directory: string;
  readonly #erasedPseudonyms = new Set<string>();
  #root!: RootDatabase;
  #accounts!: Database<QuotaAccount, [subscriber: string, planId: string]>;
  /** Those that are not settled. */
  #live!: Database<DispatchSession, [subscriber: string, planId: string, sessionId: string]>;
  #settled!: Database<DispatchSession, string>;
  /** Of live sessions: their state. */
  #places!: Database<[subscriber: string, planId: string], string>;
  #reports!: Database<ReportedUsage, [startTimeMs: number, reportId: string]>;
  #reportTimes!: Database<number, string>;
  #offsets!: Database<number, number>;
  #facts!: Database<unknown, string>;
  /** Assertions that were used, by when they expire. */
  #usedAssertions!: Database<number, [issuer: string, jti: string]>;
  #accountBindings!: Database<AccountBinding, [application: string, account: string, subscriber: string]>;

  #assertionsPrunedAtMs = 0;
  /** Of the sessions that are open. */
  readonly #openByProxy = new Map<string, number>();

  /** While the file is rewritten: what is written waits. */
  #rewriting: Promise<unknown> = Promise.resolve();
  readonly #writing = new Set<Promise<unknown>>();

  /** Opens the store in a directory that `lockDataDirectory` has made and locked. */
  constructor(directory: string) {
    // Signing keys and session keys are in it.
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    removeUnfinishedRewrites(directory);
    this.#directory = directory;
    this.#use(open({ path: directory, maxDbs: DATABASES.length, noSubdir: false }));
    for (const session of this.allLiveSessions()) this.#count(session, 1);
  }

  #use(root: RootDatabase): void {
    this.#root = root;
    this.#accounts = root.openDB({ name: 'accounts' });
    this.#live = root.openDB({ name: 'live' });
    this.#settled = root.openDB({ name: 'settled' });
    this.#places = root.openDB({ name: 'places' });
    this.#reports = root.openDB({ name: 'reports' });
    this.#reportTimes = root.openDB({ name: 'report-times' });
    this.#offsets = root.openDB({ name: 'offsets' });
    this.#facts = root.openDB({ name: 'facts' });
    this.#usedAssertions = root.openDB({ name: 'used-assertions' });
    this.#accountBindings = root.openDB({ name: 'account-bindings' });
  }

  /** Does the work alone and as a whole; resolves when what it wrote is on disk. What it throws undoes it. */
  async transaction<T>(work: () => T): Promise<T> {
    for (let seen: Promise<unknown> | null = null; seen !== this.#rewriting; await seen) seen = this.#rewriting;
    const writing = this.#write(work);
    this.#writing.add(writing);
    return writing.finally(() => this.#writing.delete(writing));
  }

  isAssertionUsed({ issuer, id }: OneTimeAssertion): boolean {
    return this.#usedAssertions.doesExist(hashedKey(issuer, id));
  }

  /** Uses an assertion up: it is remembered until it expires. */
  putUsedAssertion({ issuer, id, expiresAtMs }: OneTimeAssertion, nowMs: number): void {
    if (nowMs - this.#assertionsPrunedAtMs >= PRUNE_INTERVAL_MS) this.#pruneAssertions(nowMs);
    void this.#usedAssertions.put(hashedKey(issuer, id), expiresAtMs);
  }

  removeUsedAssertion({ issuer, id }: OneTimeAssertion): void {
    void this.#usedAssertions.remove(hashedKey(issuer, id));
  }

  /** The subscribers that use the account. An entry is of one subscriber, so that an erasure takes it whole, and names no account. */
  accountBindings({ applicationId, account }: AccountName): AccountBinding[] {
    const key = hashedKey(applicationId, account);
    const range = { start: [...key, ''], end: [...key, LAST] };
    return [...this.#accountBindings.getRange(range as never)].map(({ value }) => value);
  }

  putAccountBinding({ applicationId, account }: AccountName, binding: AccountBinding): void {
    void this.#accountBindings.put([...hashedKey(applicationId, account), binding.subscriber], binding);
  }

  removeAccountBinding({ applicationId, account }: AccountName, { subscriber }: AccountBinding): void {
    void this.#accountBindings.remove([...hashedKey(applicationId, account), subscriber]);
  }

  async #write<T>(work: () => T): Promise<T> {
    const result = await this.#root.childTransaction(work);
    await this.#root.flushed;
    return result;
  }

  #pruneAssertions(nowMs: number): void {
    this.#assertionsPrunedAtMs = nowMs;
    const expired = [...this.#usedAssertions.getRange()].filter(({ value }) => value <= nowMs);
    for (const { key } of expired) void this.#usedAssertions.remove(key);
  }

  account(subscriber: string, planId: string): QuotaAccount {
    return this.#accounts.get([subscriber, planId]) ?? [];
  }

  putAccount(subscriber: string, planId: string, account: QuotaAccount): void {
    void this.#accounts.put([subscriber, planId], account);
  }

  session(sessionId: string): DispatchSession | undefined {
    const place = this.#places.get(sessionId);
    return place === undefined ? this.#settled.get(sessionId) : this.#live.get([...place, sessionId]);
  }

  putSession(session: DispatchSession): void {
    const { sessionId, subscriber, planId, isSettled } = session;
    const before = this.session(sessionId);
    // A proxy keeps the first of two announcements of one revision, whoever sends them.
    assert(
      before === undefined || isRevised(before, session),
      'another token or key of a session needs a higher revision',
    );
    this.#count(before, -1);
    this.#count(session, 1);
    if (isSettled) {
      this.#removeLive(session);
      void this.#settled.put(sessionId, session);
    } else {
      void this.#places.put(sessionId, [subscriber, planId]);
      void this.#live.put([subscriber, planId, sessionId], session);
    }
  }

  /** Forgets a session that was being opened. */
  removeSession(session: DispatchSession): void {
    this.#count(this.session(session.sessionId), -1);
    this.#removeLive(session);
  }

  /** How many sessions of a proxy are open. */
  openSessionsOf(proxyId: string): number {
    return this.#openByProxy.get(proxyId) ?? 0;
  }

  #count(session: DispatchSession | undefined, by: 1 | -1): void {
    if (session?.state !== 'open' || session.isSettled) return;
    this.#openByProxy.set(session.proxyId, this.openSessionsOf(session.proxyId) + by);
  }

  #removeLive({ sessionId, subscriber, planId }: DispatchSession): void {
    void this.#places.remove(sessionId);
    void this.#live.remove([subscriber, planId, sessionId]);
  }

  /** Changes a session alone; resolves with what it is then, undefined where there is none of this id. */
  changeSession(
    sessionId: string,
    change: (session: DispatchSession) => DispatchSession,
  ): Promise<DispatchSession | undefined> {
    return this.transaction(() => {
      const session = this.session(sessionId);
      if (session === undefined) return undefined;
      const changed = change(session);
      if (changed !== session) this.putSession(changed);
      return changed;
    });
  }

  /** A subscriber's sessions under a plan that are not settled. */
  liveSessions(subscriber: string, planId: string): DispatchSession[] {
    const range = { start: [subscriber, planId, ''], end: [subscriber, planId, LAST] };
    return [...this.#live.getRange(range as never)].map(({ value }) => value);
  }

  /** A subscriber's sessions of all plans that are not settled. */
  allLiveSessionsOf(subscriber: string): DispatchSession[] {
    const range = { start: [subscriber, '', ''], end: [subscriber, LAST, LAST] };
    return [...this.#live.getRange(range as never)].map(({ value }) => value);
  }

  allLiveSessions(): Iterable<DispatchSession> {
    return this.#live.getRange().map(({ value }) => value);
  }

  report(reportId: string): ReportedUsage | undefined {
    const startTimeMs = this.#reportTimes.get(reportId);
    return startTimeMs === undefined ? undefined : this.#reports.get([startTimeMs, reportId]);
  }

  putReport(report: ReportedUsage): void {
    void this.#reportTimes.put(report.reportId, report.startTimeMs);
    void this.#reports.put([report.startTimeMs, report.reportId], report);
  }

  /** Reports that start in [fromMs, toMs), by their start; a few hundred are read at a time. */
  *reports(fromMs: number, toMs: number): Generator<ReportedUsage> {
    for (let start: [number, string] = [fromMs, '']; ; ) {
      const range = { start, end: [toMs, ''] as [number, string], limit: REPORTS_AT_ONCE };
      const some = [...this.#reports.getRange(range)];
      for (const { value } of some) yield value;
      if (some.length < REPORTS_AT_ONCE) return;
      const [timeMs, reportId] = some[some.length - 1].key;
      start = [timeMs, `${reportId}\u0001`];
    }
  }

  /** The offset to resume from; undefined for a partition that nothing was read of. */
  nextOffset(partition: number): number | undefined {
    return this.#offsets.get(partition);
  }

  putNextOffset(partition: number, offset: number): void {
    void this.#offsets.put(partition, offset);
  }

  fact<K extends keyof Facts>(name: K): Facts[K] | undefined {
    return this.#facts.get(name) as Facts[K] | undefined;
  }

  putFact<K extends keyof Facts>(name: K, value: Facts[K]): void {
    void this.#facts.put(name, value);
  }

  /** Forgets some reports that started before an instant, and the settled sessions that reported last before it; true: all. */
  forgetBefore(timeMs: number): boolean {
    const range = { end: [timeMs, ''] as [number, string], limit: REPORTS_AT_ONCE };
    const reports = [...this.#reports.getRange(range)];
    for (const { key, value } of reports) {
      void this.#reports.remove(key);
      void this.#reportTimes.remove(value.reportId);
    }
    if (reports.length === REPORTS_AT_ONCE) return false;
    for (const { key, value } of this.#settled.getRange()) {
      if (value.lastReportAtMs < timeMs) void this.#settled.remove(key);
    }
    return true;
  }

  /** All sessions of a subscriber, those that are settled included. */
  sessionsOf(subscriber: string): DispatchSession[] {
    const sessions = [...this.#live.getRange(), ...this.#settled.getRange()].map(({ value }) => value);
    return sessions.filter((session) => session.subscriber === subscriber);
  }

  /** From now on, until the process ends, nothing of these pseudonyms is taken: after an erasure the number has another one. */
  refuseErased(pseudonyms: readonly string[]): void {
    for (const pseudonym of pseudonyms) this.#erasedPseudonyms.add(pseudonym);
  }

  isErased(pseudonym: string): boolean {
    return this.#erasedPseudonyms.has(pseudonym);
  }

  /**
   * Removes every entry of every database that names one of the pseudonyms, or a session, token or report of theirs, and
   * writes the file without them: nothing of them is left in its free pages. Resolves with how many entries that were.
   */
  async erase(pseudonyms: readonly string[]): Promise<number> {
    this.refuseErased(pseudonyms);
    for (let seen: Promise<unknown> | null = null; seen !== this.#rewriting; await seen) seen = this.#rewriting;
    const erasing = this.#erase(pseudonyms);
    this.#rewriting = erasing.catch(() => {});
    return erasing;
  }

  async #erase(pseudonyms: readonly string[]): Promise<number> {
    const before = this.#root;
    await Promise.allSettled(this.#writing);
    await before.flushed;
    const databases = DATABASES.map((name) => before.openDB<unknown, string>({ name }));
    const erased = new ErasedEntries(pseudonyms);
    for (const database of databases) for (const { key, value } of database.getRange()) erased.learn(key, value);
    let removed = 0;
    const isKept = (_: string, key: unknown, value: unknown) => {
      if (!erased.has(key, value)) return true;
      removed++;
      return false;
    };
    this.#use(await rewriteLmdb(before, { directory: this.#directory, names: DATABASES }, isKept));
    await before.close();
    return removed;
  }

  async close(): Promise<void> {
    await this.#rewriting;
    await this.#root.flushed;
    await this.#root.close();
  }
}

function isRevised(before: DispatchSession, after: DispatchSession): boolean {
  const isSame = before.tokenId === after.tokenId && before.sessionKey === after.sessionKey;
  return isSame || after.revision > before.revision;
}

/** Hashed, as keys of LMDB have a longest length. */
function hashedKey(first: string, second: string): [string, string] {
  return [sha256(first), sha256(second)];
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
