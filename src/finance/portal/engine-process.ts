import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { exception } from '../../platform/clickhouse/clickhouse-exception.ts';
import { StoreError } from '../../platform/clickhouse/store.ts';
import { packagePath } from '../../platform/package-paths.ts';
import type { EngineReport, EngineRequest, Query, QuerySummary } from './engine-messages.ts';
import { type QueryLimits, residentLimitBytes } from './query-limits.ts';

/** Compiled, even when this module is not: Node.js 20 runs no TypeScript. */
const PROGRAM = packagePath('dist/finance/portal/engine-process-main.js');
const MEMORY_CHECK_INTERVAL_MS = 100;
const MAX_STDERR_CHARACTERS = 4000;
const PAGE_BYTES = 4096;
/** ClickHouse keeps freed memory for 5 s by default: with that of ended queries, those within their limits exceed the process's. */
const FREED_MEMORY = 'dirty_decay_ms:500,muzzy_decay_ms:0';

export interface QueryEngineOptions {
  dataPath: string;
  configFile: string;
  limits: QueryLimits;
}

/** Events of one query. */
export interface QueryEvents {
  started(format: string): void;
  ended(summary: QuerySummary): void;
  failed(error: Error): void;
}

/**
 * ClickHouse in its own process, over one store, for queries only. Its output does not reach the terminal, and a crash or
 * exceeded memory limit ends only this process.
 */
export class EngineProcess {
  readonly #child: ChildProcess;
  readonly #queries = new Map<number, QueryEvents>();
  readonly #residentLimitBytes: number;
  #stderr = '';
  #end: string | null = null;
  readonly exited: Promise<void>;
  /** Resolves when the store is open. Rejects with a StoreError whose cause is ClickHouse's output. */
  readonly opened: Promise<{ version: string; timezone: string }>;

  constructor({ dataPath, configFile, limits }: QueryEngineOptions) {
    this.#residentLimitBytes = residentLimitBytes(limits);
    const child = fork(PROGRAM, [dataPath, configFile], {
      execArgv: [],
      env: {
        ...process.env,
        // Every query takes a thread of this pool while it runs.
        UV_THREADPOOL_SIZE: String(limits.maxConcurrentQueries + 4),
        JE_MALLOC_CONF: FREED_MEMORY,
      },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = `${this.#stderr}${text}`.slice(-MAX_STDERR_CHARACTERS);
    });
    const watch = setInterval(() => void this.#endIfTooLarge(), MEMORY_CHECK_INTERVAL_MS).unref();
    this.exited = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        clearInterval(watch);
        this.#end ??= `ended with ${signal ?? `code ${code}`}`;
        const error = this.#endError();
        for (const events of this.#queries.values()) events.failed(error);
        this.#queries.clear();
        resolve();
      });
    });
    this.opened = new Promise((resolve, reject) => {
      child.on('message', (report: EngineReport) => {
        if (report.kind === 'opened') resolve(report);
        else if (report.kind === 'unlimited') {
          reject(new StoreError('store_broken', 'ClickHouse did not apply the rights of a reader: nothing is served'));
          child.kill('SIGKILL');
        } else this.#settle(report);
      });
      child.once('error', reject);
      void this.exited.then(() => reject(new Error(this.#stderr.trim() || `the engine ${this.#end}`)));
    });
    this.opened.catch(() => {});
  }

  get isRunning(): boolean {
    return this.#child.connected;
  }

  ask(id: number, query: Query, pipe: string, events: QueryEvents): void {
    if (!this.isRunning) {
      events.failed(this.#endError());
      return;
    }
    this.#queries.set(id, events);
    this.#send({ kind: 'ask', id, query, pipe });
  }

  cancel(id: number): void {
    if (this.#queries.has(id)) this.#send({ kind: 'cancel', id });
  }

  /** Ends the process, and with it every query. `why` completes "The engine ...". */
  kill(why: string): void {
    this.#end ??= why;
    this.#child.kill('SIGKILL');
  }

  /** Call it when no query is running. */
  async stop(): Promise<void> {
    if (this.isRunning) this.#send({ kind: 'stop' });
    await this.exited;
  }

  #endError(): Error {
    return exception(236, 'ABORTED', `The engine ${this.#end ?? 'ended'}; it is being restarted, retry`);
  }

  #send(request: EngineRequest): void {
    // An ended process fails all its queries itself.
    this.#child.send(request, () => {});
  }

  #settle(report: Exclude<EngineReport, { kind: 'opened' | 'unlimited' }>): void {
    const events = this.#queries.get(report.id);
    if (report.kind === 'started') {
      events?.started(report.format);
      return;
    }
    this.#queries.delete(report.id);
    if (report.kind === 'ended') events?.ended(report.summary);
    else events?.failed(new Error(report.message));
  }

  /** Where the platform does not report the size of a process, ClickHouse’s own limit is the only one. */
  async #endIfTooLarge(): Promise<void> {
    const text = await readFile(`/proc/${this.#child.pid}/statm`, 'utf8').catch(() => '');
    const residentBytes = Number(text.split(' ')[1] ?? 0) * PAGE_BYTES;
    if (residentBytes > this.#residentLimitBytes) this.kill('took more memory than its limit and was ended');
  }
}
