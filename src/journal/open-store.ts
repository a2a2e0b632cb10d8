import { openEmbeddedStore } from '../platform/clickhouse/embedded-store.ts';
import { openServerStore } from '../platform/clickhouse/server-store.ts';
import type { Store } from '../platform/clickhouse/store.ts';
import type { Config, ServerStoreConfig } from '../platform/config/config.ts';
import { readTlsFiles, type TlsCertificates } from '../platform/network/tls-files.ts';
import { packagePath } from '../platform/package-paths.ts';
import { requireKnown } from './migrate.ts';

/**
 * Opens the configured store. `create: false`: only one that is there already, and read-only by default.
 * One that a newer program has brought up to date is refused, whatever it is opened for: its figures may mean something else.
 */
export async function openStore(
  config: Config['store'],
  { create, readOnly = !create }: { create: boolean; readOnly?: boolean },
): Promise<Store> {
  const mode = { create, readOnly };
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
