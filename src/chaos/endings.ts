/** Clean-ups of what was started, run in reverse order. */
export class Endings {
  readonly #endings: ((keep: boolean) => Promise<unknown>)[] = [];

  add(end: (keep: boolean) => Promise<unknown>): void {
    this.#endings.push(end);
  }

  async run(keep: boolean): Promise<void> {
    for (const end of this.#endings.splice(0).reverse()) {
      await end(keep).catch((error) => process.stderr.write(`could not end everything: ${error}\n`));
    }
  }
}
