import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import { ConfigError } from '../platform/config-error.ts';
import type { Logger } from '../platform/logger.ts';

const LOOK_EVERY_MS = 2000;

/** A certificate and its key as they are in their files now: a renewed one is used from the next connection on. */
export class TlsFiles {
  readonly #files: { certFile: string; keyFile: string };
  readonly #logger: Logger;
  #context: SecureContext;

  /** Throws a ConfigError when they cannot be read or do not fit each other. */
  constructor(files: { certFile: string; keyFile: string }, logger: Logger) {
    this.#files = files;
    this.#logger = logger;
    this.#context = this.#read();
  }

  get context(): SecureContext {
    return this.#context;
  }

  start(): void {
    for (const file of Object.values(this.#files)) {
      watchFile(file, { interval: LOOK_EVERY_MS, persistent: false }, this.#reload);
    }
  }

  stop(): void {
    for (const file of Object.values(this.#files)) unwatchFile(file, this.#reload);
  }

  readonly #reload = (): void => {
    try {
      this.#context = this.#read();
      this.#logger.info({ certFile: this.#files.certFile }, 'a new certificate is used');
    } catch (error) {
      // Between the two files' being written they do not fit.
      this.#logger.warn({ err: error }, 'the certificate before is used still');
    }
  };

  #read(): SecureContext {
    return createSecureContext({ ...readTlsFiles(this.#files), minVersion: 'TLSv1.2' });
  }
}

/** Throws a ConfigError when they cannot be read or do not fit each other. */
export function readTlsFiles({ certFile, keyFile }: { certFile: string; keyFile: string }): {
  cert: Buffer;
  key: Buffer;
} {
  try {
    const files = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
    createSecureContext(files);
    return files;
  } catch (cause) {
    throw new ConfigError(`${certFile}, ${keyFile}: no certificate and key (${(cause as Error).message})`);
  }
}
