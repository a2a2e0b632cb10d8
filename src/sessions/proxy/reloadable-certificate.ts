import { unwatchFile, watchFile } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { ServerTlsFiles } from '../../platform/config/tls-schema.ts';
import { readTlsFiles } from '../../platform/network/tls-files.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';

const CHECK_INTERVAL_MS = 2000;

/** A certificate and its key as they are in their files now: a renewed one is used from the next connection on. */
export class ReloadableCertificate {
  readonly #files: ServerTlsFiles;
  readonly #field: string;
  readonly #logger: Logger;
  #context: SecureContext;

  /** `field`: the configuration's that names the files. Throws a ConfigError when they cannot be read or do not fit each other. */
  constructor(files: ServerTlsFiles, field: string, logger: Logger) {
    this.#files = files;
    this.#field = field;
    this.#logger = logger;
    this.#context = this.#read();
  }

  get context(): SecureContext {
    return this.#context;
  }

  start(): void {
    for (const file of [this.#files.certFile, this.#files.keyFile]) {
      watchFile(file, { interval: CHECK_INTERVAL_MS, persistent: false }, this.reload);
    }
  }

  stop(): void {
    for (const file of [this.#files.certFile, this.#files.keyFile]) unwatchFile(file, this.reload);
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
    return createSecureContext({ ...readTlsFiles(this.#files, this.#field), minVersion: 'TLSv1.2' });
  }
}
