import { unwatchFile, watchFile } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import { readKeyPair } from '../../platform/network/tls-files.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';

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
      watchFile(file, { interval: LOOK_EVERY_MS, persistent: false }, this.reload);
    }
  }

  stop(): void {
    for (const file of Object.values(this.#files)) unwatchFile(file, this.reload);
  }

  /** Reads the files again; what is wrong with them is logged, and those of before are used. */
  readonly reload = (): void => {
    try {
      this.#context = this.#read();
      this.#logger.info({ certFile: this.#files.certFile }, 'a new certificate is used');
    } catch (error) {
      // Between the two files' being written they do not fit.
      this.#logger.warn(
        { problem: (error as Error).message },
        'the certificate was not reloaded; the one before is used',
      );
    }
  };

  #read(): SecureContext {
    return createSecureContext({ ...readTlsFiles(this.#files), minVersion: 'TLSv1.2' });
  }
}

/** Throws a ConfigError when they cannot be read, have expired or do not fit each other. */
export function readTlsFiles({ certFile, keyFile }: { certFile: string; keyFile: string }): {
  cert: string;
  key: string;
} {
  return readKeyPair({ cert: certFile, key: keyFile }, { cert: 'tls.certFile', key: 'tls.keyFile' });
}
