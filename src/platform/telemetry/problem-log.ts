import type { Health } from '../http/health.ts';

export interface ProblemLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/**
 * What keeps a part of a process from its work, as readiness and as log lines: one when a problem begins, one when it has become
 * another one (reported twice, as a start passes through many), and one when it is over. However often the same problem is
 * reported, it is logged once.
 */
export class ProblemLog {
  readonly #part: string;
  readonly #health: Health | null;
  readonly #logger: ProblemLogger;
  #problem: string | null = null;
  #loggedKind = '';

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
    const kind = kindOf(problem);
    const isPassing = this.#problem !== null && kindOf(this.#problem) !== kind;
    this.#problem = problem;
    if (isPassing || kind === this.#loggedKind) return;
    this.#loggedKind = kind;
    this.#logger.warn({ part: this.#part, problem }, message);
  }

  over(message: string): void {
    this.#health?.report(this.#part, null);
    if (this.#problem === null) return;
    this.#problem = null;
    this.#loggedKind = '';
    this.#logger.info({ part: this.#part }, message);
  }
}

/** Times and counts in a message do not make it another problem. */
function kindOf(problem: string): string {
  return problem.replaceAll(/\d+/g, '0');
}
