import { openEmbeddedStore } from '../platform/clickhouse/embedded-store.ts';
import { openServerStore } from '../platform/clickhouse/server-store.ts';
import type { Store, StoreMode } from '../platform/clickhouse/store.ts';
import type { Config, ServerStoreConfig } from '../platform/config/config.ts';
import { readTlsFiles, type TlsCertificates } from '../platform/network/tls-files.ts';
import { packagePath } from '../platform/package-paths.ts';
import { migrate, requireKnown } from './migrate.ts';

/**
 * Opens the configured store. `create: false`: one that is there already, to read it. `create: true`: for an engine, which brings it
 * up to date. One that a newer program has brought up to date is refused: its figures may mean something else.
 */
export function openStore(config: Config['store'], { create }: { create: boolean }): Promise<Store> {
  return open(config, { create, readOnly: !create });
}

/** Opens the configured store to book in it, and brings it up to date. `migrations`: the names of those that were run. */
export async function openForBooking(
  config: Config['store'],
  { create }: { create: boolean },
): Promise<{ store: Store; migrations: string[] }> {
  const store = await open(config, { create, readOnly: false });
  try {
    return { store, migrations: await migrate(store, packagePath('schemas/clickhouse')) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function open(config: Config['store'], mode: StoreMode): Promise<Store> {
  const store =
    config.dir !== undefined
      ? await openEmbeddedStore(config.dir, mode)
      : await openServerStore(
          { ...config, password: config.password?.reveal() ?? '', tls: storeCertificates(config) },
          mode,
        );
  try {
    await requireKnown(store, packagePath('schemas/clickhouse'));
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Throws a ConfigError where they are invalid. */
export function storeCertificates({ tls }: ServerStoreConfig): TlsCertificates {
  return readTlsFiles(tls ?? {}, 'store.tls');
}
