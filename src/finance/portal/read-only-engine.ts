import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exception } from '../../platform/clickhouse/clickhouse-exception.ts';
import { StoreError } from '../../platform/clickhouse/store.ts';
import { DATA_DIRECTORY, prepareStoreDirectory, unopenedError } from '../../platform/clickhouse/store-directory.ts';
import type { Query, QuerySummary } from './engine-messages.ts';
import { EngineProcess } from './engine-process.ts';
import { defaultLimits, type QueryLimits } from './query-limits.ts';
import { QuerySlots } from './query-slots.ts';
import { writeReadOnlyUser } from './read-only-user.ts';
import { type ResultPipe, ResultPipes } from './result-pipes.ts';

/** After its time-out, and after its cancellation, a query has this long to end before the engine is ended. */
const CANCEL_GRACE_MS = 10_000;
/** ClickHouse's own time-out comes first. */
const TIMEOUT_GRACE_MS = 2000;
const RELEASE_INTERVAL_MS = 50;

/** An answer while it is computed. */
export interface StreamedAnswer {
  format: string;
  /** Rejects when the query fails, with ClickHouse's own error. Ending the iteration cancels the query. */
  bytes: AsyncIterable<Buffer>;
  /** Null until `bytes` has ended. */
  summary(): QuerySummary | null;
}

/** A complete answer, and its format. */
interface Answer {
  result: QuerySummary & { bytes(): Uint8Array; text(): string };
  format: string;
}

/** ClickHouse over one embedded store, for queries only, within limits. */
export interface ReadOnlyEngine {
  readonly version: string;
  readonly timezone: string;
  readonly limits: QueryLimits;
  /** Waits for a slot. Rejects with ClickHouse's own error; `signal` cancels the query. */
  stream(query: Query, signal?: AbortSignal): Promise<StreamedAnswer>;
  ask(query: Query, signal?: AbortSignal): Promise<Answer>;
  /** Call it when no query is running. */
  stop(): Promise<void>;
}

/** Opens the embedded store in `directory` for a user that can only read it (see writeReadOnlyUser). Rejects with a StoreError. */
export async function openReadOnlyEngine(
  directory: string,
  limits: QueryLimits = defaultLimits(),
): Promise<ReadOnlyEngine> {
  await prepareStoreDirectory(directory, { create: false });
  const configuration = await writeReadOnlyUser(limits);
  const dataPath = join(directory, DATA_DIRECTORY);
  const start = () => new EngineProcess({ dataPath, configFile: join(configuration, 'config.xml'), limits });
  const engine = start();
  try {
    const facts = await engine.opened;
    return new ProcessEngine({ ...facts, limits, engine, start, configuration });
  } catch (error) {
    engine.kill('was not opened');
    await engine.exited;
    await rm(configuration, { recursive: true, force: true });
    throw error instanceof StoreError ? error : await unopenedError(directory, error);
  }
}

interface Parts {
  version: string;
  timezone: string;
  limits: QueryLimits;
  engine: EngineProcess;
  start: () => EngineProcess;
  configuration: string;
}

class ProcessEngine implements ReadOnlyEngine {
  readonly version: string;
  readonly timezone: string;
  readonly limits: QueryLimits;
  readonly #parts: Parts;
  readonly #slots: QuerySlots;
  readonly #pipes: ResultPipes;
  #engine: EngineProcess;
  #asked = 0;

  constructor(parts: Parts) {
    this.version = parts.version;
    this.timezone = parts.timezone;
    this.limits = parts.limits;
    this.#parts = parts;
    this.#engine = parts.engine;
    this.#slots = new QuerySlots(parts.limits.maxConcurrentQueries, parts.limits.executionTimeoutMs);
    this.#pipes = new ResultPipes(parts.configuration);
  }

  async stream(query: Query, signal: AbortSignal = new AbortController().signal): Promise<StreamedAnswer> {
    await this.#slots.take(signal);
    const running = await this.#prepare().catch((error) => {
      this.#slots.release();
      throw error;
    });
    return running.start(query, signal, () => this.#slots.release());
  }

  async #prepare(): Promise<RunningQuery> {
    return new RunningQuery(await this.#running(), this.#asked++, await this.#pipes.next(), this.limits);
  }

  async ask(query: Query, signal?: AbortSignal): Promise<Answer> {
    const { format, bytes, summary } = await this.stream(query, signal);
    const parts: Buffer[] = [];
    for await (const part of bytes) parts.push(part);
    const body = Buffer.concat(parts);
    const counts = summary() ?? { rowsRead: 0, bytesRead: 0, elapsed: 0 };
    return { format, result: { ...counts, bytes: () => body, text: () => body.toString('utf8') } };
  }

  async stop(): Promise<void> {
    await this.#engine.stop();
    await rm(this.#parts.configuration, { recursive: true, force: true });
  }

  /** Returns the engine, restarted if it has ended. */
  async #running(): Promise<EngineProcess> {
    if (!this.#engine.isRunning) {
      await this.#engine.exited;
      if (!this.#engine.isRunning) this.#engine = this.#parts.start();
    }
    await this.#engine.opened;
    return this.#engine;
  }
}

/** One query from its start until its engine is done with it. */
class RunningQuery {
  readonly #engine: EngineProcess;
  readonly #id: number;
  readonly #pipe: ResultPipe;
  readonly #limits: QueryLimits;
  #summary: QuerySummary | null = null;
  #isDone = false;
  /** The reason of its cancellation. */
  #cancelled: unknown = null;

  constructor(engine: EngineProcess, id: number, pipe: ResultPipe, limits: QueryLimits) {
    this.#engine = engine;
    this.#id = id;
    this.#pipe = pipe;
    // The stream is destroyed while it is read; its reader gets the error.
    pipe.bytes.on('error', () => {});
    this.#limits = limits;
  }

  /** Resolves once the statement is known to be a query; `done` is called when the engine is done with it, and only then. */
  async start(query: Query, signal: AbortSignal, done: () => void): Promise<StreamedAnswer> {
    let started: (format: string) => void = () => {};
    const format = new Promise<string>((resolve) => (started = resolve));
    const answered = new Promise<void>((resolve, reject) => {
      const ended = (summary: QuerySummary) => {
        this.#summary = summary;
        resolve();
      };
      this.#engine.ask(this.#id, query, this.#pipe.path, { started, ended, failed: reject });
    });
    const { executionTimeoutMs } = this.#limits;
    const timer = setTimeout(() => this.#cancel(timedOut(executionTimeoutMs)), executionTimeoutMs + TIMEOUT_GRACE_MS);
    const aborted = () => this.#cancel(signal.reason);
    signal.addEventListener('abort', aborted, { once: true });
    if (signal.aborted) aborted();
    const finished = answered.finally(async () => {
      this.#isDone = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
      await this.#pipe.finish();
      await this.#pipe.remove();
    });
    finished.then(done, done);
    try {
      const refused = finished.then(() => new Promise<never>(() => {}));
      const named = await Promise.race([format, refused]);
      return { format: named, bytes: this.#read(finished), summary: () => this.#summary };
    } catch (error) {
      this.#pipe.bytes.destroy();
      throw this.#cancelled ?? error;
    }
  }

  async *#read(finished: Promise<void>): AsyncGenerator<Buffer> {
    let sentBytes = 0;
    try {
      for await (const part of this.#pipe.bytes) {
        sentBytes += part.length;
        if (sentBytes > this.#limits.maxResultBytes) throw tooLong(this.#limits.maxResultBytes);
        yield part;
      }
      await finished;
    } catch (error) {
      this.#cancel(error);
      await finished.catch(() => {});
      throw this.#cancelled;
    } finally {
      this.#cancel(null);
    }
  }

  #cancel(reason: unknown): void {
    if (this.#cancelled === null) this.#cancelled = reason;
    if (this.#isDone) return;
    this.#pipe.bytes.destroy();
    void this.#untilDone();
  }

  async #untilDone(): Promise<void> {
    const deadline = performance.now() + CANCEL_GRACE_MS;
    while (!this.#isDone) {
      this.#engine.cancel(this.#id);
      await this.#pipe.release();
      if (performance.now() > deadline) this.#engine.kill('did not cancel a query and was ended');
      await sleep(RELEASE_INTERVAL_MS);
    }
  }
}

function timedOut(timeoutMs: number): Error {
  return exception(159, 'TIMEOUT_EXCEEDED', `Timeout exceeded: the answer took more than ${timeoutMs / 1000} s`);
}

function tooLong(bytes: number): Error {
  const remedy = 'ask for fewer rows or columns';
  return exception(396, 'TOO_MANY_ROWS_OR_BYTES', `Limit for result exceeded, max bytes: ${bytes}: ${remedy}`);
}
