import type { Store } from '../../platform/clickhouse/store.ts';

/** Makes a store one that was begun by a version whose facts had no digests, and brought up to date at an instant (ISO 8601). */
export function upgradedAt(store: Store, instant: string): Promise<void> {
  return store.command(
    `ALTER TABLE schema_migrations UPDATE applied_at = if(number >= 24, parseDateTimeBestEffort('${instant}', 'UTC'), toDateTime('2020-01-01 00:00:00', 'UTC')) ` +
      'WHERE number > 0 SETTINGS mutations_sync = 2',
  );
}
