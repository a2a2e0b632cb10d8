import type { Config, ServerStoreConfig } from '../platform/config.ts';
import { ConfigError } from '../platform/config-error.ts';
import { openEmbeddedStore } from '../platform/embedded-store.ts';
import type { Logger } from '../platform/logger.ts';
import { developmentKey, parsePseudonymKey } from '../platform/pseudonym-key.ts';
import { openServerStore } from '../platform/server-store.ts';
import type { Store } from '../platform/store.ts';
import { readTlsFiles, type TlsCertificates } from '../platform/tls-files.ts';

/** Opens the configured store. `create: false`: only one that is there already, and only for reading unless told otherwise. */
export function openStore(
  config: Config['store'],
  { create, readOnly = !create }: { create: boolean; readOnly?: boolean },
): Promise<Store> {
  const mode = { create, readOnly };
  if (config.dir !== undefined) return openEmbeddedStore(config.dir, mode);
  const { url, database, username, password } = config;
  const tls = storeCertificates(config);
  return openServerStore({ url, database, username, password: password?.reveal() ?? '', tls }, mode);
}

/** Throws a ConfigError where they are no good. */
export function storeCertificates({ ssl }: ServerStoreConfig): TlsCertificates {
  return readTlsFiles(ssl ?? {}, 'store.ssl');
}

/** The configured pseudonym key, or the embedded store's development key, which is announced when it is made. */
export async function pseudonymKey(config: Pick<Config, 'pseudonymKey' | 'store'>, logger: Logger): Promise<Buffer> {
  if (config.pseudonymKey !== null) return parsePseudonymKey(config.pseudonymKey.reveal(), 'pseudonymKey');
  const { dir } = config.store;
  if (dir === undefined)
    throw new ConfigError('pseudonymKey: a ClickHouse server needs one; set ZERORATE_PSEUDONYM_KEY');
  const { key, path, isNew } = await developmentKey(dir);
  if (isNew) {
    logger.warn(
      { path },
      'made a development key for the pseudonyms of subscribers; set ZERORATE_PSEUDONYM_KEY for production',
    );
  }
  return key;
}
