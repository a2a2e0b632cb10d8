import type { Sponsor } from '../../rating/catalogue.ts';
import { formatMicros, isWholeUnits, parseMicros } from '../../rating/money.ts';
import { WATCHER, WATCHER_KEYS } from './credit-rules.ts';

/** What moves a sponsor's balance. */
const MONEY_KINDS = ['top-up', 'payment', 'adjustment', 'rebate'] as const;
/** Entry kinds that suspend and resume the sponsorship: their amount is 0. */
const SUSPENSION_KINDS = ['suspension', 'resumption'] as const;
/** Entry kinds that a closing posts; they cannot be requested. */
const POSTED_KINDS = ['flat-fee', 'volume-rebate', 'shortfall', 'rounding', 'tax'] as const;
export type PostedKind = (typeof POSTED_KINDS)[number];
export type EntryKind = (typeof MONEY_KINDS)[number] | (typeof SUSPENSION_KINDS)[number];

/** A requested account entry, as it was written. */
export interface EntryRequest {
  kind: EntryKind;
  idempotencyKey: string;
  who: string;
  why: string;
  /** Decimal text; absent for suspensions and resumptions, as is the currency. */
  amount?: string;
  currency?: string;
  /** Milliseconds since 1970; absent: the time of booking. */
  effectiveAtMs?: number;
}

/** An entry that may be booked. */
export interface AccountEntry {
  kind: EntryKind;
  idempotencyKey: string;
  sponsorId: string;
  /** ISO 4217, the sponsor's. */
  currency: string;
  /** Credits are positive. */
  amountMicros: number;
  /** Null: the time of booking. */
  effectiveAtMs: number | null;
  who: string;
  why: string;
}

export type EntryRefusalReason =
  | 'text_missing'
  | 'text_unprintable'
  | 'text_too_long'
  | 'reserved'
  | 'amount_missing'
  | 'amount_unreadable'
  | 'amount_not_positive'
  | 'amount_zero'
  | 'amount_too_fine'
  | 'currency_missing'
  | 'currency_foreign'
  | 'effective_out_of_range'
  | 'key_used'
  | 'suspended_already'
  | 'not_suspended';

/** Why nothing was booked, in one line. */
export interface EntryRefusal {
  reason: EntryRefusalReason;
  message: string;
}

export type CheckedEntry = { entry: AccountEntry; refusal?: undefined } | { entry?: undefined; refusal: EntryRefusal };

const MICROS_DIGITS = 6;
const MAX_KEY_LENGTH = 200;
const MAX_TEXT_LENGTH = 1000;

/** Checks a request against the rules of accounts; returns the first rule that it breaks as a refusal. */
export function checkEntry(request: EntryRequest, sponsor: Sponsor, nowMs: number): CheckedEntry {
  const { kind, idempotencyKey, who, why, effectiveAtMs = null } = request;
  const refusal = textRefusal(request) ?? timeRefusal(effectiveAtMs, nowMs);
  if (refusal !== null) return { refusal };
  const amountMicros = isMoney(kind) ? amountOf(request, sponsor) : 0;
  if (typeof amountMicros !== 'number') return { refusal: amountMicros };
  const { id: sponsorId, currency } = sponsor;
  return { entry: { kind, idempotencyKey, sponsorId, currency, amountMicros, effectiveAtMs, who, why } };
}

/** Returns an entry in words, as `top-up of 100.00 USD for chatter`. */
export function describeEntry({
  kind,
  sponsorId,
  amountMicros,
  currency,
}: Pick<AccountEntry, 'kind' | 'sponsorId' | 'amountMicros' | 'currency'>): string {
  return isMoney(kind)
    ? `${kind} of ${formatMicros(amountMicros, currency)} for ${sponsorId}`
    : `${kind} of ${sponsorId}`;
}

export function isMoney(kind: EntryKind): boolean {
  return (MONEY_KINDS as readonly string[]).includes(kind);
}

export function isSuspension(kind: EntryKind | PostedKind): boolean {
  return (SUSPENSION_KINDS as readonly string[]).includes(kind);
}

function textRefusal({ idempotencyKey, who, why }: EntryRequest): EntryRefusal | null {
  for (const [name, text, limit] of [
    ['key', idempotencyKey, MAX_KEY_LENGTH],
    ['who', who, MAX_TEXT_LENGTH],
    ['why', why, MAX_TEXT_LENGTH],
  ] as const) {
    if (text.trim() === '') return entryRefusal('text_missing', `${name}: expected a text that is not empty`);
    if (/[\p{Cc}\p{Cs}]/u.test(text)) return entryRefusal('text_unprintable', `${name}: expected one line of text`);
    if (text.length > limit) return entryRefusal('text_too_long', `${name}: expected at most ${limit} letters`);
  }
  if (who === WATCHER) return entryRefusal('reserved', `who: "${WATCHER}" is the engine's own; name a person`);
  if (idempotencyKey.startsWith(WATCHER_KEYS)) {
    return entryRefusal(
      'reserved',
      `key: those that begin with "${WATCHER_KEYS}" are the credit watcher's; take another`,
    );
  }
  return null;
}

/** Returns the amount in micro-units, or what is wrong with it. */
function amountOf({ kind, amount, currency }: EntryRequest, sponsor: Sponsor): number | EntryRefusal {
  if (amount === undefined) return entryRefusal('amount_missing', 'amount: is missing, as 100.00');
  const micros = parseMicros(amount);
  if (micros === null) {
    const expected = 'a decimal number with at most 6 decimals, of at most 9007199254.740991';
    return entryRefusal('amount_unreadable', `amount: expected ${expected}, got "${amount}"`);
  }
  if (micros === 0) return entryRefusal('amount_zero', 'amount: 0 moves nothing');
  if (micros < 0 && kind !== 'adjustment') {
    const remedy = 'what is taken back is an adjustment';
    return entryRefusal('amount_not_positive', `amount: a ${kind} is above 0, got "${amount}"; ${remedy}`);
  }
  if (currency === undefined) return entryRefusal('currency_missing', `currency: is missing, as ${sponsor.currency}`);
  if (currency !== sponsor.currency) {
    const account = `the account of ${sponsor.id} is in ${sponsor.currency}`;
    return entryRefusal('currency_foreign', `currency: ${account}, got "${currency}"`);
  }
  return tooFine(kind, micros, sponsor) ?? micros;
}

/** A bank moves whole smallest units. An adjustment may be finer, as it corrects charges that are exact to the micro-unit. */
function tooFine(kind: EntryKind, micros: number, { currency, minorDigits }: Sponsor): EntryRefusal | null {
  if (kind === 'adjustment' || isWholeUnits(micros, minorDigits)) return null;
  const smallest = formatMicros(10 ** (MICROS_DIGITS - minorDigits), currency);
  const remedy = `a ${kind} is of whole units of ${smallest}; what is finer is an adjustment`;
  return entryRefusal(
    'amount_too_fine',
    `amount: ${formatMicros(micros, currency)} is finer than the currency: ${remedy}`,
  );
}

/** Refuses an instant in the future: a balance has no time, so the entry would count before it takes effect. */
function timeRefusal(effectiveAtMs: number | null, nowMs: number): EntryRefusal | null {
  if (effectiveAtMs === null || (effectiveAtMs >= 0 && effectiveAtMs <= nowMs)) return null;
  const expected = 'expected an instant from 1970 on that is not to come: an entry counts from its booking on';
  return entryRefusal('effective_out_of_range', `effective: ${expected}, got ${new Date(effectiveAtMs).toISOString()}`);
}

export function entryRefusal(reason: EntryRefusalReason, message: string): EntryRefusal {
  return { reason, message };
}
