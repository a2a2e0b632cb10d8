import type { Clock } from '../../platform/clock.ts';
import type { Health } from '../../platform/http/health.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { ProblemLog } from '../../platform/telemetry/problem-log.ts';
import type { Heartbeat } from '../protocol/dispatch-messages.ts';
import type { DispatchClock } from './dispatch-clock.ts';
import type { ProxyDispatchClient } from './proxy-dispatch-client.ts';

const PART = 'heartbeat';
const FIRST_RETRY_MS = 1000;

export interface HeartbeatsOptions {
  client: ProxyDispatchClient;
  clock: Clock;
  health: Health;
  logger: Logger;
  /** Learns the skew. */
  dispatchClock: DispatchClock;
  /** Returns the proxy's current state. */
  state(): Heartbeat;
}

/** Sends heartbeats to the dispatch server, twice in the interval that it asks for. */
export class Heartbeats {
  readonly #options: HeartbeatsOptions;
  readonly #problems: ProblemLog;
  #disarm: () => void = () => {};
  #isStopped = false;
  #wasTolerable = true;

  constructor(options: HeartbeatsOptions) {
    this.#options = options;
    this.#problems = new ProblemLog(PART, options.logger, options.health);
    options.health.report(PART, 'the dispatch server has not answered yet');
  }

  /** Resolves after the first one, whether it was heard or not. */
  async start(): Promise<void> {
    const { client, clock, state, dispatchClock } = this.#options;
    let nextMs = FIRST_RETRY_MS;
    const { skewMs } = dispatchClock;
    const sentAtMs = clock.nowMs();
    try {
      const answer = await client.heartbeat({
        ...state(),
        sentAtMs,
        ...(skewMs !== undefined && { clockSkewMs: skewMs }),
      });
      dispatchClock.measure(sentAtMs, answer, clock.nowMs());
      nextMs = answer.nextWithinMs / 2;
      this.#problems.over('the dispatch server answers heartbeats');
      this.#noteSkew();
    } catch (error) {
      const waiting = 'the dispatch server takes no heartbeats; waiting for it, open sessions continue';
      this.#problems.report((error as Error).message, waiting);
    }
    if (!this.#isStopped) this.#disarm = clock.after(nextMs, () => void this.start());
  }

  /** Into health, and into the log when it changes. */
  #noteSkew(): void {
    const { health, logger, dispatchClock } = this.#options;
    const { skewMs = 0, isTolerable } = dispatchClock;
    const problem = isTolerable
      ? null
      : `this machine’s clock is off by ${skewMs} ms from the dispatch server’s: set it`;
    health.report('clock_skew', problem);
    if (isTolerable === this.#wasTolerable) return;
    this.#wasTolerable = isTolerable;
    if (problem === null) logger.info({ skewMs }, 'this machine’s clock is good again');
    else logger.warn({ skewMs }, `${problem}; until then the dispatch server gives this proxy no sessions`);
  }

  stop(): void {
    this.#isStopped = true;
    this.#disarm();
  }
}
