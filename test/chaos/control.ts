import { randomUUID } from 'node:crypto';
import type { RewriteInsert } from './fault-proxy.ts';

/** The removed guard of the journal: a control that the invariants must detect. */
export type Control = 'guard' | 'token';

const GUARD = / WHERE throwIf\(.*\) = 0 ORDER BY ALL/s;
const TOKEN = /insert_deduplication_token = '[^']*'/;

/**
 * Without the guard the token alone protects, for as long as the table remembers it. So the guard's control makes the table
 * forget soon, as after `non_replicated_deduplication_window` inserts.
 */
export const SHORT_TOKEN_WINDOW = 'ALTER TABLE journal MODIFY SETTING non_replicated_deduplication_window = 4';

/**
 * Returns a function that removes the guard from an insert. It throws when the statement has none: then the control would
 * prove nothing.
 */
export function withoutGuard(control: Control): RewriteInsert {
  const [pattern, replacement] =
    control === 'guard'
      ? [GUARD, () => ' ORDER BY ALL']
      : [TOKEN, () => `insert_deduplication_token = '${randomUUID()}'`];
  return (sql) => {
    const changed = sql.replace(pattern, replacement);
    if (changed === sql) throw new Error(`there is no ${control} in this insert: ${sql.slice(-300)}`);
    return changed;
  };
}
