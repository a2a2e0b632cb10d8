import type { Sponsor } from '../../rating/catalogue.ts';
import { formatMicros } from '../../rating/money.ts';

/** Author of the credit watcher's entries; reserved, as are keys with its prefix. */
export const WATCHER = 'credit watcher';
export const WATCHER_KEYS = 'credit-';

const MICROS_DIGITS = 6;

/** Who suspended a sponsor: none (it is not suspended), the credit watcher, or an operator by hand. */
export type SuspendedBy = 'none' | 'watcher' | 'hand';

/** Returns who suspended a sponsor, from its last suspension or resumption. */
export function suspendedBy(last?: { kind: string; who: string; idempotencyKey: string }): SuspendedBy {
  if (last?.kind !== 'suspension') return 'none';
  return last.who === WATCHER && last.idempotencyKey.startsWith(WATCHER_KEYS) ? 'watcher' : 'hand';
}

/**
 * Returns the watcher's action on a sponsor: suspension when the balance is past its credit limit; resumption of the
 * watcher's own suspension when the balance is back within the limit; or none.
 */
export function creditDecision(
  { creditLimitMicros }: Pick<Sponsor, 'creditLimitMicros'>,
  balanceMicros: bigint,
  by: SuspendedBy,
): 'suspension' | 'resumption' | null {
  if (balanceMicros < -BigInt(creditLimitMicros)) return by === 'none' ? 'suspension' : null;
  return by === 'watcher' ? 'resumption' : null;
}

/** Returns the reason of the entry. */
export function creditReason({ creditLimitMicros, currency }: Sponsor, balanceMicros: bigint): string {
  const place = balanceMicros < -BigInt(creditLimitMicros) ? 'past' : 'within';
  const [balance, limit] = [balanceMicros, creditLimitMicros].map((micros) => formatMicros(micros, currency));
  return `balance ${balance} is ${place} the credit limit of ${limit}`;
}

/** Returns what brings a suspended sponsor back within its limit, and whether that resumes it or a command must. */
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
    ? 'automatically: the balance is within its limit; the next check by `run`, or `zerorate account watch --once`, resumes it'
    : `by hand alone, with ${byHand}: the balance is within its limit, and no payment resumes it`;
}

/** Returns the least payment, in whole units of the currency, that brings a balance to its limit; 0n: none. */
function missingMicros(creditLimitMicros: number, balanceMicros: bigint, minorDigits: number): bigint {
  const missing = -BigInt(creditLimitMicros) - balanceMicros;
  if (missing <= 0n) return 0n;
  const unit = 10n ** BigInt(MICROS_DIGITS - minorDigits);
  return ((missing + unit - 1n) / unit) * unit;
}
