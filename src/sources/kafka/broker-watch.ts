import type { KafkaLogger } from '../../platform/kafka/kafka.ts';

const CHECK_INTERVAL_MS = 1000;
/** A consumer gets an answer more often than this, unless it waits for its group. */
const QUIET_MS = 3000;

export interface BrokerWatchOptions {
  brokers: readonly string[];
  /** Whether one of the brokers answers now. Never rejects, and resolves within some seconds. */
  isAnswered: () => Promise<boolean>;
  logger: KafkaLogger;
  /** Called with what is wrong when an outage begins, with null when it ends. */
  onProblem: (problem: string | null) => void;
}

/**
 * Reports when the brokers stop to answer and when they answer again, each with one log line. While answers come it asks
 * nothing; after some seconds without one it asks the brokers itself, as a client that waits for its group hears nothing.
 */
export class BrokerWatch {
  readonly #options: BrokerWatchOptions;
  #answeredAtMs = performance.now();
  #awaySinceMs: number | null = null;
  #isAsking = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: BrokerWatchOptions) {
    this.#options = options;
  }

  get isAway(): boolean {
    return this.#awaySinceMs !== null;
  }

  start(): void {
    this.#answeredAtMs = performance.now();
    this.#timer = setInterval(() => void this.#check(), CHECK_INTERVAL_MS).unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** A broker has answered something. */
  answered(): void {
    this.#answeredAtMs = performance.now();
    if (this.#awaySinceMs === null) return;
    const awayMs = Math.round(this.#answeredAtMs - this.#awaySinceMs);
    this.#awaySinceMs = null;
    const { logger, onProblem, brokers } = this.#options;
    onProblem(null);
    logger.info({ brokers, awayMs }, `Kafka answers again, after ${Math.round(awayMs / 1000)} s`);
  }

  async #check(): Promise<void> {
    if (this.#isAsking || performance.now() - this.#answeredAtMs < QUIET_MS) return;
    this.#isAsking = true;
    const isAnswered = await this.#options.isAnswered();
    this.#isAsking = false;
    if (this.#timer === null) return;
    if (isAnswered) this.answered();
    else if (performance.now() - this.#answeredAtMs >= QUIET_MS) this.#begin();
  }

  #begin(): void {
    if (this.#awaySinceMs !== null) return;
    this.#awaySinceMs = this.#answeredAtMs;
    const { logger, onProblem, brokers } = this.#options;
    const problem = `none of the brokers ${brokers.join(', ')} answers`;
    onProblem(problem);
    logger.warn({ brokers }, `Kafka is away: ${problem}; the engine waits and resumes when one answers`);
  }
}
