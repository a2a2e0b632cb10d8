import { createRequire } from 'node:module';

/** The version whose internals the patches were written for, and that `package.json` pins. */
export const PATCHED_KAFKAJS_VERSION = '2.2.4';

const require = createRequire(import.meta.url);

/** The patches cannot be applied. The message says which version is installed and what to do. */
class KafkajsPatchError extends Error {
  override readonly name = 'KafkajsPatchError';
  readonly code = 'kafkajs_version_unsupported';
  readonly canRetry = false;
}

/** Throws a KafkajsPatchError unless the installed kafkajs is the version that the patches were written for. */
export function requirePatchedKafkajsVersion(): void {
  const { version } = require('kafkajs/package.json') as { version: string };
  if (version === PATCHED_KAFKAJS_VERSION) return;
  throw new KafkajsPatchError(
    `kafkajs ${version} is installed, but zerorate changes internals of kafkajs ${PATCHED_KAFKAJS_VERSION}, and another ` +
      `version may lose or repeat records: install ${PATCHED_KAFKAJS_VERSION} (npm ci); to take another version, see ` +
      'src/platform/kafka/patches/README.md',
  );
}

/** Returns a module of kafkajs's sources, such as `broker/index.js`. */
export function kafkajsInternal<T>(path: string): T {
  return require(`kafkajs/src/${path}`) as T;
}

/** Replaces what a module of kafkajs's sources exports. Modules that required it before keep the original. */
export function replaceKafkajsInternal<T>(path: string, replace: (original: T) => T): void {
  const resolved = require.resolve(`kafkajs/src/${path}`);
  const replacement = replace(require(resolved) as T);
  const loaded = require.cache[resolved];
  if (loaded === undefined) throw new Error(`${resolved} is not loaded`);
  loaded.exports = replacement;
}
