import type { Sponsor } from '../billing/catalogue.ts';
import { formatMicros } from '../billing/money.ts';

/** Who books what the credit watcher books; nobody else may take the name, or keys that begin like its own. */
export const WATCHER = 'credit watcher';
export const WATCHER_KEYS = 'credit-';

const MICROS_DIGITS = 6;

/** Who has suspended a sponsor: nobody, the credit watcher, or somebody by hand. */
export type SuspendedBy = 'nobody' | 'watcher' | 'hand';

/** From the last suspension or resumption of a sponsor, if it has one. */
export function suspendedBy(last?: { kind: string; who: string; idempotencyKey: string }): SuspendedBy {
  if (last?.kind !== 'suspension') return 'nobody';
  return last.who === WATCHER && last.idempotencyKey.startsWith(WATCHER_KEYS) ? 'watcher' : 'hand';
}

/**
 * What the watcher does about a sponsor: it suspends one whose balance is past its credit limit, and lets go on what it has
 * suspended itself once the balance is back within.
 */
export function creditDecision(
  { creditLimitMicros }: Pick<Sponsor, 'creditLimitMicros'>,
  balanceMicros: bigint,
  by: SuspendedBy,
): 'suspension' | 'resumption' | null {
  if (balanceMicros < -BigInt(creditLimitMicros)) return by === 'nobody' ? 'suspension' : null;
  return by === 'watcher' ? 'resumption' : null;
}

/** Why, for the entry. */
export function creditReason({ creditLimitMicros, currency }: Sponsor, balanceMicros: bigint): string {
  const place = balanceMicros < -BigInt(creditLimitMicros) ? 'past' : 'within';
  const [balance, limit] = [balanceMicros, creditLimitMicros].map((micros) => formatMicros(micros, currency));
  return `balance ${balance} is ${place} the credit limit of ${limit}`;
}

/** What brings a suspended sponsor back within its limit, and whether that resumes it or a command has to. */
export function resumptionText(sponsor: Sponsor, balanceMicros: bigint, by: SuspendedBy): string {
  const { id, currency, minorDigits, creditLimitMicros } = sponsor;
  const missing = missingMicros(creditLimitMicros, balanceMicros, minorDigits);
  const byHand = `\`zerorate account resume --sponsor ${id}\``;
  if (missing > 0n) {
    const amount = `${formatMicros(missing, currency)} more (a top-up or payment of at least that)`;
    return by === 'watcher'
      ? `automatically with ${amount}: the credit watcher of \`run\`, or \`zerorate account watch --once\`, resumes it`
      : `by hand, with ${byHand}; its limit needs ${amount}, else the credit watcher suspends it again`;
  }
  return by === 'watcher'
    ? 'automatically: the balance is within its limit; the next look of `run`, or `zerorate account watch --once`, resumes it'
    : `by hand alone, with ${byHand}: the balance is within its limit, and no payment resumes it`;
}

/** The least payment, in whole units of the currency, that a balance lacks to its limit; 0n: none. */
function missingMicros(creditLimitMicros: number, balanceMicros: bigint, minorDigits: number): bigint {
  const missing = -BigInt(creditLimitMicros) - balanceMicros;
  if (missing <= 0n) return 0n;
  const unit = 10n ** BigInt(MICROS_DIGITS - minorDigits);
  return ((missing + unit - 1n) / unit) * unit;
}
