import { createInterface, type Interface } from 'node:readline';
import type { Readable } from 'node:stream';

/**
 * The lines that a person types, and the person's answers to idle prompts. While a prompt waits, the next line answers it: `n` or `no`
 * lets the session end, everything else keeps it, and a command is carried out besides.
 */
export class TerminalInput {
  readonly #lines: string[] = [];
  readonly #reader: Interface;
  readonly #print: (text: string) => void;
  #isClosed = false;
  #wake: () => void = () => {};
  #answer: ((isStillHere: boolean) => void) | null = null;

  constructor(input: Readable, print: (text: string) => void) {
    this.#print = print;
    this.#reader = createInterface({ input });
    this.#reader.on('line', (line) => this.#take(line.trim()));
    this.#reader.on('close', () => {
      this.#isClosed = true;
      this.#answer?.(false);
      this.#wake();
    });
  }

  /** Commands, in their order, until the input ends. */
  async *commands(): AsyncGenerator<string> {
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) yield line;
      else if (this.#isClosed) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }

  /** Asks the person; no answer within the time is a no. */
  async askStillHere(closesInMs: number): Promise<boolean> {
    if (this.#isClosed) return false;
    this.#print(
      `Are you still there? The session ends in ${Math.ceil(closesInMs / 1000)} s. Enter keeps it, n lets it end:`,
    );
    return new Promise((resolve) => {
      const settle = (isStillHere: boolean) => {
        clearTimeout(late);
        this.#answer = null;
        resolve(isStillHere);
      };
      const late = setTimeout(() => settle(false), closesInMs);
      this.#answer = settle;
    });
  }

  close(): void {
    this.#reader.close();
  }

  #take(line: string): void {
    if (this.#answer !== null) {
      const isNo = /^no?$/i.test(line);
      this.#answer(!isNo);
      if (isNo || /^(y|yes)?$/i.test(line)) return;
    }
    if (line === '') return;
    this.#lines.push(line);
    this.#wake();
  }
}
