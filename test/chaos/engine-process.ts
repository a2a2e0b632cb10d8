import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { builtModule } from '../servers/built.ts';

// An engine must not outlive the harness, however that ends, and a stopped process gets no signal. The harness holds the
// write end of the engine's standard input; when that is closed a watcher kills the engine. `exec` gives the engine the
// shell's own pid.
const DIE_WITH_PARENT = 'exec 3<&0; (cat <&3 >/dev/null; kill -9 $$ 2>/dev/null) & exec "$@" </dev/null 3<&-';

export interface EngineProcessOptions {
  /** The configuration file. */
  config: string;
  environment: Readonly<Record<string, string>>;
  /** Receives every line that the engine logs. */
  log: Writable;
  onLine: (line: string) => void;
}

export interface EngineExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** One engine, in its own process. */
export class EngineProcess {
  readonly #child: ChildProcess;
  readonly pid: number;
  readonly exited: Promise<EngineExit>;

  private constructor(child: ChildProcess, pid: number, onLine: (line: string) => void) {
    this.#child = child;
    this.pid = pid;
    this.exited = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
    createInterface({ input: child.stderr as Readable }).on('line', onLine);
  }

  static async start({ config, environment, log, onLine }: EngineProcessOptions): Promise<EngineProcess> {
    const command = [process.execPath, await builtModule('test/chaos/engine-main.js'), config];
    const child = spawn('sh', ['-c', DIE_WITH_PARENT, 'sh', ...command], {
      env: { ...process.env, ...environment },
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    if (child.pid === undefined) throw new Error('an engine has no pid: is there no `sh`?');
    return new EngineProcess(child, child.pid, (line) => {
      log.write(`${line}\n`);
      onLine(line);
    });
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Sends a signal, unless the process has ended: its pid may be another's now. */
  signal(name: NodeJS.Signals): void {
    if (this.isRunning) this.#child.kill(name);
  }

  /** Stops it, as an operator would; kills it when it takes longer than `graceMs`. */
  async stop(graceMs: number): Promise<EngineExit> {
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  /** Whether a SIGSTOP holds it. */
  get isPaused(): boolean {
    return this.#status('State')?.startsWith('T') ?? false;
  }

  /** The peak memory of the process; null when it has ended. */
  get peakRssOctets(): number | null {
    const text = this.#status('VmHWM');
    return text === null ? null : Number.parseInt(text, 10) * 1024;
  }

  #status(field: string): string | null {
    if (!this.isRunning) return null;
    try {
      const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
      return new RegExp(`^${field}:\\s+(.*)$`, 'm').exec(status)?.[1] ?? null;
    } catch {
      // The process has just ended.
      return null;
    }
  }
}
