import { userInfo } from 'node:os';
import { openForBooking } from '../../journal/open-store.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import type { Config } from '../../platform/config/config.ts';
import { ConfigError } from '../../platform/config/config-error.ts';

/** A sponsor may pay before its first record comes: what `run` would make is made here, and said. */
export async function openAccounts(config: Config['store']): Promise<Store> {
  const { store, migrations } = await openForBooking(config, { create: true });
  if (migrations.some((name) => name.startsWith('0001'))) {
    process.stderr.write(`${config.dir ?? `${config.url} ${config.database}`}: made a new store\n`);
  }
  return store;
}

export function operator(): string {
  try {
    return userInfo().username;
  } catch {
    throw new ConfigError('who books this? The operating system has no name for its user; name one with --who NAME');
  }
}
