import type { Clock } from '../platform/clock.ts';
import type { Health } from '../platform/health.ts';
import type { Logger } from '../platform/logger.ts';
import { ProblemLog } from '../platform/problem-log.ts';
import type { Heartbeat } from '../session-protocol/dispatch-messages.ts';
import type { DispatchClient } from './dispatch-client.ts';

const FIRST_RETRY_MS = 1000;

export interface HeartbeatsOptions {
  client: DispatchClient;
  clock: Clock;
  health: Health;
  logger: Logger;
  /** How the proxy stands now. */
  state(): Heartbeat;
}

/** Tells the dispatch server that the proxy is there, twice in the time that it asks for. */
export class Heartbeats {
  readonly #options: HeartbeatsOptions;
  readonly #problems: ProblemLog;
  #disarm: () => void = () => {};
  #isStopped = false;

  constructor(options: HeartbeatsOptions) {
    this.#options = options;
    this.#problems = new ProblemLog('heartbeat', options.logger, options.health);
  }

  /** Resolves after the first one, whether it was heard or not. */
  async start(): Promise<void> {
    const { client, clock, state } = this.#options;
    let nextMs = FIRST_RETRY_MS;
    try {
      const { nextWithinMs } = await client.heartbeat(state());
      nextMs = nextWithinMs / 2;
      this.#problems.over('the dispatch server answers heartbeats');
    } catch (error) {
      const waiting = 'the dispatch server takes no heartbeats; waiting for it, open sessions go on';
      this.#problems.report((error as Error).message, waiting);
    }
    if (!this.#isStopped) this.#disarm = clock.after(nextMs, () => void this.start());
  }

  stop(): void {
    this.#isStopped = true;
    this.#disarm();
  }
}
