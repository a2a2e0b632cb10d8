import { randomUUID } from 'node:crypto';
import type { RewriteInsert } from './fault-proxy.ts';

/** Which of the journal's two guards is taken away, to see that the invariants notice. */
export type Control = 'guard' | 'token';

const GUARD = / WHERE throwIf\(.*\) = 0 ORDER BY ALL/s;
const TOKEN = /insert_deduplication_token = '[^']*'/;

/**
 * With the guard gone the token alone holds for as long as the table remembers it, so the guard's control makes it forget
 * soon, as it would after `non_replicated_deduplication_window` inserts.
 */
export const FORGETFUL_WINDOW = 'ALTER TABLE journal MODIFY SETTING non_replicated_deduplication_window = 4';

/** The insert without that guard. Throws when the statement has none: then the control would prove nothing. */
export function without(control: Control): RewriteInsert {
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
