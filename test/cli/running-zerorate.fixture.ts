import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { builtModule } from '../servers/built.ts';
import type { Zerorate } from './zerorate.fixture.ts';

export type LogLine = Record<string, unknown> & { msg: string };

const PATIENCE_MS = 120_000;

/** `zerorate run` as it runs, its log lines as they come. */
export class RunningZerorate {
  readonly lines: LogLine[] = [];
  /** What it has printed. */
  output = '';
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  #next: { resolve: () => void; promise: Promise<void> } = tick();

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.ended = once(child, 'close').then(([code]) => code);
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
    });
    const stderr = createInterface({ input: child.stderr as NodeJS.ReadableStream & AsyncIterable<Buffer> });
    stderr.on('line', (line) => {
      this.lines.push(line.startsWith('{') ? JSON.parse(line) : { msg: line });
      const { resolve } = this.#next;
      this.#next = tick();
      resolve();
    });
  }

  static async start(
    zerorate: Zerorate,
    args: readonly string[],
    env: Record<string, string> = {},
  ): Promise<RunningZerorate> {
    const child = spawn(process.execPath, [await builtModule('main.js'), 'run', ...args], {
      cwd: zerorate.directory,
      env: { ...process.env, ZERORATE_LOG_LEVEL: 'debug', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new RunningZerorate(child);
  }

  /** Resolves with the first line that fits, one that was there already or one that comes. */
  async line(fits: (line: LogLine) => boolean, from = 0): Promise<LogLine> {
    const giveUpAt = performance.now() + PATIENCE_MS;
    for (;;) {
      const found = this.lines.slice(from).find(fits);
      if (found !== undefined) return found;
      if (performance.now() > giveUpAt || this.#child.exitCode !== null) {
        throw new Error(`no such line among\n${this.lines.map((line) => JSON.stringify(line)).join('\n')}`);
      }
      await Promise.race([this.#next.promise, this.ended, new Promise((resolve) => setTimeout(resolve, 1000))]);
    }
  }

  /** Resolves when so many records are booked since the start. */
  async booked(records: number): Promise<void> {
    await this.line(() => this.bookedRecords >= records);
  }

  get bookedRecords(): number {
    return this.lines
      .filter(({ msg }) => msg === 'booked')
      .flatMap(({ records }) => Object.values(records as Record<string, number>))
      .reduce((sum, count) => sum + count, 0);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it as an operator would; resolves with its exit code. */
  stop(): Promise<number | null> {
    this.signal('SIGTERM');
    return this.ended;
  }
}

function tick(): { resolve: () => void; promise: Promise<void> } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { resolve, promise };
}
