import type { Clock } from '../platform/clock.ts';
import type { Health } from '../platform/health.ts';
import type { Logger } from '../platform/logger.ts';
import type { DispatchClient } from './dispatch-client.ts';
import type { SessionRegistry } from './session-registry.ts';
import { lastTimeMsOf, type SpooledReport, type UsageSpool, usageReportOf } from './usage-spool.ts';

/** As many as a message has room for. */
const MOST = 1000;
const MAX_DOUBLINGS = 6;

export interface UsageReporterOptions {
  proxyId: string;
  spool: UsageSpool;
  client: DispatchClient;
  clock: Clock;
  health: Health;
  logger: Logger;
  retryMs: number;
}

/**
 * Sends complete reports, one message at a time and in the order in which they came, until the dispatch server confirms them.
 * What it is sent is on the disk before.
 */
export class UsageReporter {
  readonly #options: UsageReporterOptions;
  readonly #waiting: SpooledReport[] = [];
  #registry: SessionRegistry | null = null;
  #sending: Promise<void> | null = null;
  #failures = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(options: UsageReporterOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Takes over what a process before has left: what still counted has ended with it. */
  start(registry: SessionRegistry, left: readonly SpooledReport[]): void {
    this.#registry = registry;
    for (const report of left) {
      if (report.label.kind === undefined) {
        const endTimeMs = lastTimeMsOf(report);
        this.#options.spool.seal(report, { kind: 'end', endTimeMs, ending: 'proxy_stopped' });
      }
      this.#waiting.push(report);
    }
    if (left.length > 0) this.#options.logger.info({ reports: left.length }, 'usage of the process before is reported');
  }

  readonly take = (report: SpooledReport): void => {
    this.#waiting.push(report);
  };

  /** Sends what waits, unless a failure was a moment ago. Never rejects but with a SpoolError. */
  send(): Promise<void> {
    const isDue = this.#options.clock.monotonicMs() >= this.#notBeforeMs;
    if (this.#sending === null && this.#waiting.length > 0 && isDue) {
      this.#sending = this.#send().finally(() => {
        this.#sending = null;
      });
    }
    return this.#sending ?? Promise.resolve();
  }

  /** Sends everything that waits, until it is confirmed or a call fails. */
  async flush(): Promise<void> {
    await this.#sending;
    const failures = this.#failures;
    this.#notBeforeMs = Number.NEGATIVE_INFINITY;
    while (this.#waiting.length > 0 && this.#failures === failures) await this.send();
  }

  async #send(): Promise<void> {
    const { spool, client, proxyId, health, logger } = this.#options;
    const reports = this.#waiting.slice(0, MOST);
    await spool.sync();
    const sessionIds = reports.map(({ label }) => label.sessionId);
    const revisions = new Map(sessionIds.map((id) => [id, this.#registry?.find(id)?.terms.revision]));
    try {
      const answer = await client.report(reports.map((report) => usageReportOf(report, proxyId)));
      this.#waiting.splice(0, reports.length);
      for (const report of reports) spool.remove(report);
      this.#failures = 0;
      health.report('dispatch', null);
      this.#registry?.takeAnswer(reports, answer, revisions);
    } catch (error) {
      this.#pause();
      health.report('dispatch', (error as Error).message);
      logger.warn({ err: error, waiting: this.#waiting.length }, 'usage could not be reported; trying again');
    }
  }

  #pause(): void {
    const { retryMs, clock } = this.#options;
    this.#notBeforeMs = clock.monotonicMs() + retryMs * 2 ** Math.min(this.#failures, MAX_DOUBLINGS);
    this.#failures++;
  }
}
