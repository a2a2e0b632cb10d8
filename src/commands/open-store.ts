import type { Config } from '../platform/config.ts';
import { openEmbeddedStore } from '../platform/embedded-store.ts';
import { openServerStore } from '../platform/server-store.ts';
import type { Store } from '../platform/store.ts';

/** Opens the configured store. `create: false`: only one that is there already, and only for reading unless told otherwise. */
export function openStore(
  config: Config['store'],
  { create, readOnly = !create }: { create: boolean; readOnly?: boolean },
): Promise<Store> {
  const mode = { create, readOnly };
  if (config.dir !== undefined) return openEmbeddedStore(config.dir, mode);
  const { url, database, username, password } = config;
  return openServerStore({ url, database, username, password: password?.reveal() ?? '' }, mode);
}
