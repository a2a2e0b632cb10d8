import type { Clock } from '../../../platform/clock.ts';
import type { Health } from '../../../platform/http/health.ts';
import type { Logger } from '../../../platform/telemetry/logger.ts';
import { MAX_REPORTS, type ReportOutcome, type UsageReportsAnswer } from '../../protocol/dispatch-messages.ts';
import { DispatchError, type ProxyDispatchClient } from '../proxy-dispatch-client.ts';
import type { SessionRegistry } from '../session-registry.ts';
import type { RefusedReports } from './refused-reports.ts';
import { SpoolError } from './spool-error.ts';
import { lastTimeMsOf, type SpooledReport, type UsageSpool, usageReportOf } from './usage-spool.ts';

const MAX_DOUBLINGS = 6;
/** Statuses that say that what was sent is wrong, and not who sent it or when. */
const OF_CONTENT: ReadonlySet<number | undefined> = new Set([400, 413, 422]);

export interface UsageReporterOptions {
  proxyId: string;
  spool: UsageSpool;
  client: ProxyDispatchClient;
  refused: RefusedReports;
  clock: Clock;
  health: Health;
  logger: Logger;
  retryDelayMs: number;
}

/**
 * Sends complete reports, one message at a time and in the order in which they came, until the dispatch server confirms or refuses
 * each. What it is sent is on the disk before. A refused report is kept in a file of its own and holds up no other.
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
    for (const { label } of left) registry.markOver(label.sessionId);
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
    const { spool, health, logger } = this.#options;
    const reports = this.#waiting.slice(0, MAX_REPORTS);
    await spool.sync();
    try {
      await this.#sendTogether(reports);
      this.#failures = 0;
      health.report('dispatch', null);
    } catch (error) {
      if (error instanceof SpoolError) throw error;
      this.#pause();
      health.report('dispatch', (error as Error).message);
      logger.warn({ err: error, waiting: this.#waiting.length }, 'usage could not be reported; trying again');
    }
  }

  /** A message that is refused as a whole is halved until the report is found that it is refused for. */
  async #sendTogether(reports: readonly SpooledReport[]): Promise<void> {
    const { client, proxyId } = this.#options;
    const sessionIds = reports.map(({ label }) => label.sessionId);
    const revisions = new Map(sessionIds.map((id) => [id, this.#registry?.find(id)?.terms.revision]));
    let answer: UsageReportsAnswer;
    try {
      answer = await client.report(reports.map((report) => usageReportOf(report, proxyId)));
    } catch (error) {
      if (!(error instanceof DispatchError) || !OF_CONTENT.has(error.status)) throw error;
      if (reports.length === 1) return this.#settle(reports, [refusedAlone(error)]);
      const half = Math.ceil(reports.length / 2);
      await this.#sendTogether(reports.slice(0, half));
      return this.#sendTogether(reports.slice(half));
    }
    this.#settle(reports, answer.outcomes);
    this.#registry?.takeAnswer(reports, answer, revisions);
  }

  /** What is accepted or known leaves the spool; what is refused is kept beside it before it does. */
  #settle(reports: readonly SpooledReport[], outcomes: readonly ReportOutcome[]): void {
    const { spool, refused, proxyId, logger } = this.#options;
    const refusals = outcomes.flatMap((answered, at) =>
      answered.outcome === 'refused' ? [{ ...answered, spooled: reports[at] }] : [],
    );
    refused.keep(
      refusals.map(({ reason, message, spooled }) => ({ reason, message, report: usageReportOf(spooled, proxyId) })),
    );
    for (const { reason, message, spooled } of refusals) {
      const { reportId, sessionId } = spooled.label;
      const detail = { reportId, sessionId, reason, message, file: refused.path };
      logger.error(detail, 'the dispatch server refuses a usage report: it is kept in this file');
      this.#registry?.refuse(spooled);
    }
    const settled = new Set(reports);
    const left = this.#waiting.filter((report) => !settled.has(report));
    this.#waiting.splice(0, this.#waiting.length, ...left);
    for (const report of reports) spool.remove(report);
  }

  #pause(): void {
    const { retryDelayMs, clock } = this.#options;
    this.#notBeforeMs = clock.monotonicMs() + retryDelayMs * 2 ** Math.min(this.#failures, MAX_DOUBLINGS);
    this.#failures++;
  }
}

function refusedAlone({ message }: DispatchError): ReportOutcome {
  return { outcome: 'refused', reason: 'report_malformed', message };
}
