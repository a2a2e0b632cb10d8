import { createWriteStream, type WriteStream } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { EngineProcess } from './engine-process.ts';
import { type Failpoint, formatFailpoint } from './failpoints.ts';
import type { FaultProxy } from './fault-proxy.ts';

const RESTART_DELAY_MS = 300;
/** The engine stops within ten seconds; after this the harness kills it. */
const STOP_GRACE_MS = 12_000;

export interface EngineSlotOptions {
  name: string;
  config: string;
  proxy: FaultProxy;
  logFile: string;
  /** Drawn at each start, so that a zombie's batch ends elsewhere than its successor's. */
  drawBatchRecords: () => number;
  /** Drawn at each start: engines with and without an interval take lanes over from each other. */
  drawQuotaIntervalMs: () => number;
  environment: Readonly<Record<string, string>>;
}

/** The place of one engine: whenever its process ends, another one is started, as by a carrier's supervisor. */
export class EngineSlot {
  readonly #options: EngineSlotOptions;
  readonly #log: WriteStream;
  #process: EngineProcess | null = null;
  #isWanted = false;
  /** Whether its process has been given a partition yet. */
  hasPartitions = false;
  /** The peak memory of all processes of this place, as far as it was sampled. */
  peakRssOctets = 0;
  /** Batches booked, writes fenced, and unexpected ends, since the beginning. */
  readonly counts = { booked: 0, fenced: 0, died: 0 };

  constructor(options: EngineSlotOptions) {
    this.#options = options;
    this.#log = createWriteStream(options.logFile, { flags: 'a' });
  }

  get name(): string {
    return this.#options.name;
  }

  get proxy(): FaultProxy {
    return this.#options.proxy;
  }

  get process(): EngineProcess | null {
    return this.#process?.isRunning === true ? this.#process : null;
  }

  lookAtMemory(): void {
    this.peakRssOctets = Math.max(this.peakRssOctets, this.#process?.peakRssOctets ?? 0);
  }

  async start(failpoint?: Failpoint): Promise<EngineProcess> {
    const { config, proxy, environment, drawBatchRecords, drawQuotaIntervalMs } = this.#options;
    this.#isWanted = true;
    this.hasPartitions = false;
    const started = await EngineProcess.start({
      config,
      environment: {
        ...environment,
        ZERORATE_STORE_URL: proxy.url,
        ZERORATE_LOG_LEVEL: 'debug',
        ZERORATE_BATCH_MAX_RECORDS: String(drawBatchRecords()),
        ZERORATE_QUOTA_UPDATES_MIN_INTERVAL_MS: String(drawQuotaIntervalMs()),
        CHAOS_FAILPOINT: failpoint === undefined ? '' : formatFailpoint(failpoint),
      },
      log: this.#log,
      onLine: (line) => this.#count(line),
    });
    this.#note(`started as ${started.pid}${failpoint === undefined ? '' : ` with ${formatFailpoint(failpoint)}`}`);
    this.#process = started;
    void started.exited.then(async ({ code, signal }) => {
      this.#note(`${started.pid} ended with ${signal ?? code}`);
      if (!this.#isWanted || this.#process !== started) return;
      this.counts.died++;
      await pause(RESTART_DELAY_MS);
      if (this.#isWanted && this.#process === started) await this.start();
    });
    return started;
  }

  /** Resolves with the exit code; null when there was no process or a signal had to end it. */
  async stop(): Promise<number | null> {
    this.#isWanted = false;
    const { code } = (await this.#process?.stop(STOP_GRACE_MS)) ?? { code: null };
    return code;
  }

  async kill(): Promise<void> {
    this.#isWanted = false;
    this.#process?.signal('SIGKILL');
    await this.#process?.exited;
  }

  /** Closes the log; call it after the last process has ended. */
  close(): void {
    this.#log.end();
  }

  #count(line: string): void {
    if (line.includes('"msg":"booked"')) this.counts.booked++;
    if (line.includes('"msg":"partition assigned"')) this.hasPartitions = true;
    if (/"code":"(batch_fenced|claim_lost)"|\[(batch_fenced|claim_lost)\]/.test(line)) this.counts.fenced++;
  }

  #note(text: string): void {
    this.#log.write(`-- ${new Date().toISOString()} ${text}\n`);
  }
}
