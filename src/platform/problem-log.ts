import type { Health } from './health.ts';

export interface ProblemLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/**
 * What keeps a part of a process from its work, as readiness and as log lines: one when a problem begins or becomes another one,
 * and one when it is over. However often the same problem is reported, it is logged once.
 */
export class ProblemLog {
  readonly #part: string;
  readonly #health: Health | null;
  readonly #logger: ProblemLogger;
  #problem: string | null = null;

  constructor(part: string, logger: ProblemLogger, health: Health | null = null) {
    this.#part = part;
    this.#health = health;
    this.#logger = logger;
  }

  get problem(): string | null {
    return this.#problem;
  }

  /** `message` says what the process does meanwhile. */
  report(problem: string, message: string): void {
    this.#health?.report(this.#part, problem);
    const isKnown = this.#problem !== null && kindOf(this.#problem) === kindOf(problem);
    this.#problem = problem;
    if (!isKnown) this.#logger.warn({ part: this.#part, problem }, message);
  }

  over(message: string): void {
    this.#health?.report(this.#part, null);
    if (this.#problem === null) return;
    this.#problem = null;
    this.#logger.info({ part: this.#part }, message);
  }
}

/** Times and counts in a message do not make it another problem. */
function kindOf(problem: string): string {
  return problem.replaceAll(/\d+/g, '0');
}
