import { withoutNumbers } from '../telemetry/redaction.ts';

/** How long a call may take before it counts as a problem. */
const SLOW_MS = 5000;

/** What keeps a process from doing its work, by part. It is ready while there is nothing. */
export class Health {
  readonly #problems = new Map<string, string>();
  readonly #warnings = new Map<string, string>();
  readonly #slowMs: number;

  constructor(slowMs: number = SLOW_MS) {
    this.#slowMs = slowMs;
  }

  get isReady(): boolean {
    return this.#problems.size === 0;
  }

  get problems(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#problems);
  }

  /** What does not keep the process from its work, and needs an operator, by part. */
  get warnings(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#warnings);
  }

  /** Null: there is nothing to warn of. */
  warn(part: string, warning: string | null): void {
    if (warning === null) this.#warnings.delete(part);
    else this.#warnings.set(part, withoutNumbers(warning));
  }

  /** Null: the part works. */
  report(part: string, problem: string | null): void {
    if (problem === null) this.#problems.delete(part);
    else this.#problems.set(part, withoutNumbers(problem));
  }

  /** Makes a call of a part: a problem when it fails or does not answer for long, and none any more when it succeeds. */
  async watch<T>(
    part: string,
    call: () => Promise<T>,
    isProblem: (error: unknown) => boolean = () => true,
  ): Promise<T> {
    const slow = setTimeout(() => this.report(part, `no answer for ${this.#slowMs / 1000} s`), this.#slowMs);
    try {
      const answer = await call();
      this.report(part, null);
      return answer;
    } catch (error) {
      this.report(part, isProblem(error) ? (error as Error).message : null);
      throw error;
    } finally {
      clearTimeout(slow);
    }
  }
}
