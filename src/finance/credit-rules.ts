import type { Sponsor } from '../billing/catalogue.ts';
import { formatMicros } from '../billing/money.ts';

/** Who books what the credit watcher books; nobody else may take the name, or keys that begin like its own. */
export const WATCHER = 'credit watcher';
export const WATCHER_KEYS = 'credit-';

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
