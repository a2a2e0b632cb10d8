import { execFile } from 'node:child_process';
import { close, constants, open, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

const PIPES_AT_ONCE = 32;

/** Named pipes in `directory`, through which an engine writes an answer as it is computed, in any format. */
export class ResultPipes {
  readonly #directory: string;
  #ready: string[] = [];
  #making: Promise<void> | null = null;
  #made = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async next(): Promise<ResultPipe> {
    while (this.#ready.length === 0) {
      this.#making ??= this.#make().finally(() => {
        this.#making = null;
      });
      await this.#making;
    }
    return openPipe(this.#ready.pop() as string);
  }

  async #make(): Promise<void> {
    const paths = Array.from({ length: PIPES_AT_ONCE }, () => join(this.#directory, `answer-${this.#made++}`));
    await promisify(execFile)('mkfifo', ['-m', '600', ...paths]);
    this.#ready = paths;
  }
}

export interface ResultPipe {
  path: string;
  /** Ends when the writer has closed the pipe, or `finish` was called. */
  bytes: Socket;
  /** Ends `bytes` after what was written, where a writer that is done never opened the pipe. */
  finish(): Promise<void>;
  /** Releases a writer that waits for a reader; it fails. */
  release(): Promise<void>;
  remove(): Promise<void>;
}

function openPipe(path: string): ResultPipe {
  // Opens without waiting for the writer; the socket closes it.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return {
    path,
    bytes: new Socket({ fd, readable: true, writable: false }),
    finish: () => openAndClose(path, constants.O_WRONLY | constants.O_NONBLOCK),
    release: () => openAndClose(path, constants.O_RDONLY | constants.O_NONBLOCK),
    remove: () => rm(path, { force: true }),
  };
}

/** Resolves also when the other end is closed. */
function openAndClose(path: string, flags: number): Promise<void> {
  return new Promise((resolve) => {
    open(path, flags, (error, fd) => (error === null ? close(fd, () => resolve()) : resolve()));
  });
}
