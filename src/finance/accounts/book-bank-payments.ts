import type { Store } from '../../platform/clickhouse/store.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Sponsor } from '../../rating/catalogue.ts';
import { formatMicros } from '../../rating/money.ts';
import { type AccountEntry, checkEntry } from './account-entry.ts';
import { bookEntry } from './book-entry.ts';
import { entryOfKey, type StoredEntry } from './entry-rows.ts';
import { matchPayment, type PayerIndex } from './match-payment.ts';
import type { BankMovement } from './read-camt053.ts';

/**
 * Outcome of a movement. `existing`: it was booked before. `open`: a credit for an accountant to look at; it is not booked.
 * `ignored`: no payment, or not a booked one.
 */
export type PaymentOutcome = 'booked' | 'existing' | 'would_book' | 'open' | 'ignored';

export interface BankPayment {
  movement: BankMovement;
  outcome: PaymentOutcome;
  sponsorId: string | null;
  /** Entry number and what identified the payer; or why it is open or ignored, and what to do. */
  detail: string;
}

export interface BankPaymentOptions {
  store: Store;
  sponsors: readonly Sponsor[];
  payers: PayerIndex;
  who: string;
  clock: Pick<Clock, 'nowMs' | 'monotonicMs' | 'sleep'>;
  dryRun: boolean;
}

const MAX_WHY_LENGTH = 1000;
const MAX_KEY_LENGTH = 200;

/**
 * Books the credits of bank statements as payments. Each is booked once for the bank's reference and the account, in any
 * file. Rejects with a StoreError.
 */
export async function bookBankPayments(
  movements: readonly BankMovement[],
  options: BankPaymentOptions,
): Promise<BankPayment[]> {
  const repeated = repeatedReferences(movements);
  const payments: BankPayment[] = [];
  for (const movement of movements) payments.push(await bookOne(movement, repeated, options));
  return payments;
}

async function bookOne(
  movement: BankMovement,
  repeated: ReadonlySet<string>,
  options: BankPaymentOptions,
): Promise<BankPayment> {
  const { store, sponsors, payers, who, clock, dryRun } = options;
  const as = (outcome: PaymentOutcome, detail: string, sponsorId: string | null = null): BankPayment => ({
    movement,
    outcome,
    sponsorId,
    detail,
  });
  const ignored = ignoredReason(movement);
  if (ignored !== null) return as('ignored', ignored);
  const { reference, fault } = movement;
  if (fault !== null) return as('open', `${fault}: ask the bank, or book it by hand`);
  if (reference === null) return as('open', 'has no AcctSvcrRef and no NtryRef to book it once by: book it by hand');
  const key = keyOf(movement);
  if (key.length > MAX_KEY_LENGTH) return as('open', 'has a reference that is too long for a key: book it by hand');
  if (repeated.has(key)) return as('open', `reference ${reference} is given twice in one statement: book it by hand`);
  const existing = await entryOfKey(store, key);
  const match = matchPayment(movement, payers);
  if (existing !== null) return compareWithBooked(existing, movement, as);
  if (match.sponsorId === null)
    return as('open', `${match.why}: book it by hand, or add bankAccounts to the catalogue`);
  const sponsor = sponsors.find(({ id }) => id === match.sponsorId);
  if (sponsor === undefined) return as('open', `is for ${match.sponsorId}, which the catalogue does not have: add it`);
  const checked = checkEntry(requestOf(movement, key, who, clock.nowMs()), sponsor, clock.nowMs());
  if (checked.refusal !== undefined) return as('open', `${checked.refusal.message} (by ${match.by})`, sponsor.id);
  if (dryRun) return as('would_book', `by ${match.by}`, sponsor.id);
  return booked(await bookEntry(store, checked.entry, clock), checked.entry, match.by, as);
}

type As = (outcome: PaymentOutcome, detail: string, sponsorId?: string | null) => BankPayment;

function booked(result: Awaited<ReturnType<typeof bookEntry>>, entry: AccountEntry, by: string, as: As): BankPayment {
  const { sponsorId } = entry;
  if (result.outcome === 'refused') return as('open', result.refusal.message, sponsorId);
  if (result.outcome === 'existing') return as('existing', `entry ${result.number}`, sponsorId);
  return as('booked', `entry ${result.number}, by ${by}`, sponsorId);
}

/** Compares a movement with the entry of its reference: a repeated file books nothing; another amount is reported. */
function compareWithBooked(existing: StoredEntry, { amount, currency }: BankMovement, as: As): BankPayment {
  const { number, sponsorId, amountMicros } = existing;
  if (existing.currency === currency && formatMicros(amountMicros) === plainAmount(amount)) {
    return as('existing', `entry ${number}`, sponsorId);
  }
  const was = formatMicros(amountMicros, existing.currency);
  return as('open', `its reference is entry ${number} of ${was} already: ask the bank`, sponsorId);
}

/** Returns why a movement is no payment; null: it is a booked credit. */
function ignoredReason({ status, isCredit, isReversal, amount, currency }: BankMovement): string | null {
  if (status !== 'BOOK')
    return `is ${status === 'PDNG' ? 'pending' : `of status ${status || 'unknown'}`}: it comes again once it is booked`;
  if (isReversal) {
    return `is a reversal${isCredit ? '' : ': if a payment was returned, take it back with `account adjust`'}`;
  }
  if (!isCredit) return 'is a debit';
  return plainAmount(amount) === '0' ? `moves 0 ${currency}` : null;
}

function keyOf({ account, reference }: BankMovement): string {
  return `camt053 ${account} ${reference}`;
}

function requestOf(movement: BankMovement, idempotencyKey: string, who: string, nowMs: number) {
  const { amount, currency, day, remittance, references, debtorName, reference } = movement;
  const texts = [debtorName, ...references, ...remittance].filter((text) => text !== '');
  const why = [`bank entry ${reference}`, ...texts].join('; ').slice(0, MAX_WHY_LENGTH);
  const dayMs = Date.parse(`${day}T00:00:00Z`);
  return {
    kind: 'payment' as const,
    idempotencyKey,
    who,
    why,
    amount: plainAmount(amount),
    currency,
    // The bank's day may begin before the day in UTC.
    ...(Number.isNaN(dayMs) ? {} : { effectiveAtMs: Math.min(dayMs, nowMs) }),
  };
}

/**
 * Returns XML's decimal as `--amount` has it: `0100.50` is `100.5`. Other texts are returned as they are, and are refused
 * later.
 */
function plainAmount(amount: string): string {
  const match = /^\+?(\d*)(?:\.(\d*))?$/.exec(amount);
  if (match === null || amount === '') return amount;
  const units = match[1].replace(/^0+/, '') || '0';
  const decimals = (match[2] ?? '').replace(/0+$/, '');
  return decimals === '' ? units : `${units}.${decimals}`;
}

/** Returns the keys that several movements of one statement have. Booked once by such a key, a payment would be lost. */
function repeatedReferences(movements: readonly BankMovement[]): Set<string> {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const movement of movements) {
    if (ignoredReason(movement) !== null) continue;
    const place = `${movement.statementId}\n${keyOf(movement)}`;
    if (seen.has(place)) repeated.add(keyOf(movement));
    seen.add(place);
  }
  return repeated;
}
