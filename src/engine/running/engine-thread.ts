import { Worker } from 'node:worker_threads';
import { errorOf } from '../../platform/plain-error.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { RunTotals } from '../engine.ts';
import type { PackedCatalogue } from '../reload/packed-catalogue.ts';
import { NO_TOTALS } from './run-totals.ts';
import type { RunnableEngine } from './running-engine.ts';
import type { ThreadCommand, ThreadData, ThreadReport } from './thread-messages.ts';

const PROGRAM = new URL('./engine-thread-main.js', import.meta.url);
/** Of a stop, and of a thread that has failed. A signal ends the process before this. */
const STOP_WITHIN_MS = 15_000;

export type EngineThreadErrorCode = 'engine_thread_died' | 'engine_thread_out_of_memory' | 'engine_thread_silent';

/** An engine's thread has ended without its engine's answer. The journal has what it had booked. */
export class EngineThreadError extends Error {
  override readonly name = 'EngineThreadError';
  readonly code: EngineThreadErrorCode;
  /** Only a thread that did not end when it was stopped is no reason to halt. */
  readonly canRetry: boolean;

  constructor(code: EngineThreadErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.canRetry = code === 'engine_thread_silent';
  }
}

/** What the engine's thread reports while it runs. */
export type ReportWhileRunning = Exclude<ThreadReport, { kind: 'taken' | 'halting' | 'ended' | 'halted' }>;

export interface EngineThreadOptions {
  /** Counts from 1, for people. */
  number: number;
  data: ThreadData;
  onReport: (report: ReportWhileRunning) => void;
  logger: Pick<Logger, 'warn'>;
  /** What the thread runs, where that is not beside this module. */
  program?: string | URL | undefined;
  /** For tests. */
  stopWithinMs?: number;
}

/** An engine in a thread of its own. Inert until it runs; afterwards the thread has ended. */
export class EngineThread implements RunnableEngine {
  totals: RunTotals = NO_TOTALS;
  readonly #options: EngineThreadOptions;
  #worker: Worker | null = null;
  /** Calls of `take` without an answer, the oldest first. */
  #takes: (() => void)[] = [];
  #fail: (error: unknown) => void = () => {};
  /** What the engine has failed with, while the thread closes what it works with. */
  #failure: Error | null = null;
  #deadline: NodeJS.Timeout | null = null;
  #ended: Promise<void> = Promise.resolve();

  constructor(options: EngineThreadOptions) {
    this.#options = options;
  }

  /** Rejects with the engine's error, as it would be in this thread, or with an EngineThreadError. */
  async run(): Promise<void> {
    const { program = PROGRAM, data, number } = this.#options;
    const worker = new Worker(program, { workerData: data, name: `engine ${number}` });
    this.#worker = worker;
    const running = this.#untilAnswered(worker);
    this.#ended = running.catch(() => {});
    try {
      await running;
    } finally {
      this.#worker = null;
      clearTimeout(this.#deadline ?? undefined);
      await worker.terminate();
      for (const answer of this.#takes) answer();
    }
  }

  async take(catalogue: PackedCatalogue): Promise<void> {
    if (this.#worker === null) return;
    const taken = new Promise<void>((resolve) => this.#takes.push(resolve));
    this.#send({ kind: 'take', catalogue });
    await taken;
  }

  async stop(): Promise<void> {
    this.#send({ kind: 'stop' });
    if (this.#worker !== null) this.#armDeadline();
    await this.#ended;
  }

  /** A thread that does not end by then is ended: with its engine's own error, where it has one. */
  #armDeadline(): void {
    const { number, logger, stopWithinMs = STOP_WITHIN_MS } = this.#options;
    this.#deadline ??= setTimeout(() => {
      const within = `within ${stopWithinMs / 1000} s and was ended; the next run reads again what is not booked`;
      if (this.#failure === null) {
        this.#fail(new EngineThreadError('engine_thread_silent', `engine thread ${number} did not stop ${within}`));
        return;
      }
      const text = `engine thread ${number} failed, did not close its connections ${within}`;
      logger.warn({ err: this.#failure, thread: number }, text);
      this.#fail(this.#failure);
    }, stopWithinMs);
  }

  #send(command: ThreadCommand): void {
    this.#worker?.postMessage(command);
  }

  #untilAnswered(worker: Worker): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      worker.on('message', (report: ThreadReport) => {
        if ('totals' in report) this.totals = report.totals;
        if (report.kind === 'ended') resolve();
        else if (report.kind === 'halted') reject(errorOf(report.error));
        else if (report.kind === 'taken') this.#takes.shift()?.();
        else if (report.kind === 'halting') {
          this.#failure ??= errorOf(report.error);
          this.#armDeadline();
        } else this.#options.onReport(report);
      });
      worker.on('messageerror', reject);
      worker.on('error', (error) => reject(this.#died(error)));
      worker.on('exit', () => reject(this.#died(null)));
    });
  }

  #died(cause: Error | null): EngineThreadError {
    const name = `engine thread ${this.#options.number}`;
    if ((cause as NodeJS.ErrnoException | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY') {
      const remedy =
        'Run fewer threads (engine.threads) with more memory each (NODE_OPTIONS=--max-old-space-size=MEBIBYTES)';
      return new EngineThreadError(
        'engine_thread_out_of_memory',
        `${name} has no memory left. ${remedy}; nothing that was booked is lost`,
        cause,
      );
    }
    const why = cause === null ? 'ended by itself' : `failed: ${cause.message}`;
    return new EngineThreadError(
      'engine_thread_died',
      `${name} ${why}. Nothing that was booked is lost: start the engine again, and report this as a bug`,
      cause ?? undefined,
    );
  }
}
