import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { packagePath } from '../platform/package-paths.ts';

// The child must not outlive its parent, however that ends: see `spawnJava`.
const DIE_WITH_PARENT = 'exec 3<&0; (cat <&3 >/dev/null; kill -9 $$ 2>/dev/null) & exec "$@" </dev/null 3<&-';
const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 30_000;
const SHOWN_LOG_LINES = 5;

/** A program that ended, or was not ready in time. The message ends with the last lines of its log. */
class CompanionError extends Error {
  override readonly name = 'CompanionError';
  readonly code = 'program_not_started';
  readonly canRetry = true;
}

export interface CompanionOptions {
  /** A command of `bin/zerorate`. */
  command: 'run' | 'dispatch' | 'proxy' | 'gateway';
  config: string;
  environment: Readonly<Record<string, string>>;
  logFile: string;
  /** Answers 200 when it is ready; absent: it is not waited for. */
  readyUrl?: string;
}

/** One of the programs of the loop, in a process of its own. */
export class Companion {
  readonly #options: CompanionOptions;
  #child: ChildProcess | null = null;

  constructor(options: CompanionOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get command(): string {
    return this.#options.command;
  }

  get logFile(): string {
    return this.#options.logFile;
  }

  get isRunning(): boolean {
    const child = this.#child;
    return child !== null && child.exitCode === null && child.signalCode === null;
  }

  /** Rejects with a CompanionError when it ends, or is not ready in time. */
  async start(): Promise<void> {
    const { command, config, environment, logFile, readyUrl } = this.#options;
    const log = openSync(logFile, 'a', 0o600);
    const started = [process.execPath, packagePath('dist/main.js'), command, '--config', config];
    const child = spawn('sh', ['-c', DIE_WITH_PARENT, 'sh', ...started], {
      env: { ...process.env, ...environment },
      stdio: ['pipe', log, log],
      // Ctrl+C reaches the parent alone, which ends the programs in their order.
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    const giveUpAtMs = performance.now() + READY_WITHIN_MS;
    while (readyUrl !== undefined && !(await answers(readyUrl))) {
      if (!this.isRunning || performance.now() > giveUpAtMs) throw notStarted(command, logFile);
      await pause(100);
    }
  }

  /** As an operator does. Resolves with the exit code; null when it had to be killed. */
  async stop(): Promise<number | null> {
    const given = setTimeout(() => this.#child?.kill('SIGKILL'), STOP_WITHIN_MS);
    const code = await this.#end('SIGTERM');
    clearTimeout(given);
    return code;
  }

  /** As a crash would. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === null) return 0;
    if (this.isRunning) {
      const exit = once(child, 'exit');
      child.kill(signal);
      await exit;
    }
    return child.exitCode;
  }
}

function notStarted(command: string, logFile: string): CompanionError {
  const last = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-SHOWN_LOG_LINES);
  return new CompanionError(`${command} did not start; the end of ${logFile}:\n${last.join('\n')}`);
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}
