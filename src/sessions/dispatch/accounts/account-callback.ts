import { isDeepStrictEqual } from 'node:util';
import { Agent, request } from 'undici';
import * as z from 'zod';
import type { Clock } from '../../../platform/clock.ts';
import { limitedText } from '../../../platform/http/limited-text.ts';
import type { TlsCertificates } from '../../../platform/network/tls-files.ts';
import { E164 } from '../../../rating/record/msisdn.ts';
import {
  type AccountClaim,
  type AccountVerdict,
  type AccountVerifier,
  unverified,
  verifiedAccount,
} from './account-verifier.ts';

/** Of an answer: an account, an MSISDN and the JSON around them. */
const MAX_ANSWER_BYTES = 4096;
const MAX_CACHED = 10_000;
const MAX_PENDING = 256;
const CONNECTIONS_TO_SPONSOR = 16;
/** So many failures one after the other, and the endpoint is left alone for `retryAfterMs`. */
const FAILURES_TO_OPEN = 3;

export interface AccountCallbackSettings {
  /** The sponsor's endpoint. Of the configuration, and of nothing that a terminal or the endpoint says. */
  url: string;
  /** Sent as `Authorization: Bearer`. */
  secret: string;
  /** Of the whole exchange. */
  timeoutMs: number;
  /** How long an answer that names an account is used again. */
  cacheMs: number;
  retryAfterMs: number;
  /** Of TLS towards the endpoint. */
  certificates?: TlsCertificates;
}

export interface AccountCallbackDependencies {
  clock: Clock;
  onFailure: (problem: string) => void;
}

const answerSchema = z.object({ msisdn: z.string().regex(E164), account: z.string().min(1).nullable() });

/** `null`: the sponsor knows no account of the subscriber. */
type Answer = { account: string | null } | { problem: string; isDown: boolean };

/**
 * Verifies accounts by asking the sponsor: `POST` of `{ applicationId, msisdn, account }` (`account`: the one that the terminal
 * wants, or null), answered by 200 with `{ msisdn, account }`, where `account` is null if the subscriber has no such account. Any
 * other answer, a redirect, a late or a large one is a failure, and no session is granted. After three failures in a row by which
 * the endpoint is down (no answer in time, 429, 5xx) it is not asked for `retryAfterMs`, then by one request at a time until it answers.
 */
export class AccountCallback implements AccountVerifier {
  readonly #settings: AccountCallbackSettings;
  readonly #options: AccountCallbackSettings & AccountCallbackDependencies;
  readonly #dispatcher: Agent;
  readonly #cached = new Map<string, { account: string; untilMs: number }>();
  readonly #pending = new Map<string, Promise<Answer>>();
  #failures = 0;
  #closedUntilMs = 0;

  constructor(settings: AccountCallbackSettings, dependencies: AccountCallbackDependencies) {
    const { timeoutMs, certificates } = settings;
    this.#settings = settings;
    this.#options = { ...settings, ...dependencies };
    const connect = { timeout: timeoutMs, ...certificates };
    this.#dispatcher = new Agent({ connections: CONNECTIONS_TO_SPONSOR, connect });
  }

  hasSettings(settings: AccountCallbackSettings): boolean {
    return isDeepStrictEqual(settings, this.#settings);
  }

  async verify(claim: AccountClaim): Promise<AccountVerdict> {
    const { clock, retryAfterMs } = this.#options;
    // By pseudonym: no number is held longer than a request.
    const key = keyOf(claim);
    const cached = this.#cached.get(key);
    if (cached !== undefined && clock.nowMs() < cached.untilMs) return verifiedAccount(cached.account);
    const waitMs = this.#waitMs(key);
    if (waitMs > 0) return unverified("the sponsor's account endpoint cannot be reached", waitMs);
    const answer = await this.#askOnce(key, claim);
    if ('problem' in answer) return unverified("the sponsor's account endpoint cannot be reached", retryAfterMs);
    return answer.account === null
      ? unverified('the sponsor knows no such account of this subscriber')
      : verifiedAccount(answer.account);
  }

  /** How many answers it remembers. */
  get remembered(): number {
    return this.#cached.size;
  }

  forget(subscriber: string): void {
    for (const answers of [this.#cached, this.#pending]) {
      for (const key of answers.keys()) if (subscriberOf(key) === subscriber) answers.delete(key);
    }
  }

  /** How long the endpoint must not be asked; 0: it may be asked now. */
  #waitMs(key: string): number {
    const { clock, retryAfterMs } = this.#options;
    if (this.#pending.has(key)) return 0;
    if (this.#pending.size >= MAX_PENDING) return retryAfterMs;
    if (this.#failures < FAILURES_TO_OPEN) return 0;
    const leftMs = this.#closedUntilMs - clock.nowMs();
    return leftMs > 0 ? leftMs : this.#pending.size > 0 ? retryAfterMs : 0;
  }

  /** Requests for the same account share one exchange. */
  #askOnce(key: string, claim: AccountClaim): Promise<Answer> {
    const pending = this.#pending.get(key);
    if (pending !== undefined) return pending;
    const asked = this.#ask(claim)
      .catch((error: Error): Answer => ({ problem: error.message, isDown: true }))
      .then((answer) => {
        const isForgotten = this.#pending.get(key) !== asked;
        if (!isForgotten) this.#pending.delete(key);
        this.#note(answer);
        if (!isForgotten) this.#cache(key, answer);
        return answer;
      });
    this.#pending.set(key, asked);
    return asked;
  }

  #note(answer: Answer): void {
    const { clock, retryAfterMs, onFailure } = this.#options;
    if ('problem' in answer) {
      // An endpoint that refuses one request, as a terminal may have provoked, is not taken away from the other terminals.
      this.#failures = answer.isDown ? this.#failures + 1 : 0;
      this.#closedUntilMs = clock.nowMs() + retryAfterMs;
      onFailure(answer.problem);
      return;
    }
    this.#failures = 0;
  }

  #cache(key: string, answer: Answer): void {
    const { clock, cacheMs } = this.#options;
    if ('problem' in answer) return;
    this.#cached.delete(key);
    if (answer.account === null || cacheMs === 0) return;
    const [oldest] = this.#cached.keys();
    if (this.#cached.size >= MAX_CACHED && oldest !== undefined) this.#cached.delete(oldest);
    const cached = { account: answer.account, untilMs: clock.nowMs() + cacheMs };
    this.#cached.set(key, cached);
    // No account is remembered for longer than it is used.
    setTimeout(() => {
      if (this.#cached.get(key) === cached) this.#cached.delete(key);
    }, cacheMs).unref();
  }

  async #ask({ applicationId, msisdn, wanted }: AccountClaim): Promise<Answer> {
    const { url, secret, timeoutMs } = this.#options;
    // undici follows no redirect, and undoes no compression, unless it is asked to.
    const { statusCode, body } = await request(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ applicationId, msisdn, account: wanted ?? null }),
      signal: AbortSignal.timeout(timeoutMs),
      dispatcher: this.#dispatcher,
    });
    const text = await limitedText(body, MAX_ANSWER_BYTES);
    if (text === null) return odd(`it answers more than ${MAX_ANSWER_BYTES} bytes`);
    if (statusCode !== 200) {
      return { problem: `it answers with status ${statusCode}`, isDown: statusCode >= 500 || statusCode === 429 };
    }
    return answerOf(text, { msisdn, wanted });
  }
}

/** An answer that grants nothing, of an endpoint that is there. */
function odd(problem: string): Answer {
  return { problem, isDown: false };
}

/** Its problems quote nothing of the text, which names subscribers. */
function answerOf(text: string, { msisdn, wanted }: Pick<AccountClaim, 'msisdn' | 'wanted'>): Answer {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return odd('it answers with something other than JSON');
  }
  const answer = answerSchema.safeParse(json);
  if (!answer.success) return odd(`it answers in another shape: ${z.prettifyError(answer.error)}`);
  if (answer.data.msisdn !== msisdn) return odd('it answers for another MSISDN');
  const { account } = answer.data;
  return { account: wanted === undefined || account === wanted ? account : null };
}

function keyOf({ applicationId, subscriber, wanted }: AccountClaim): string {
  return JSON.stringify([applicationId, subscriber, wanted ?? null]);
}

function subscriberOf(key: string): unknown {
  return JSON.parse(key)[1];
}
