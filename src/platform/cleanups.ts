/** Clean-ups of what was started, run in reverse order. */
export class Cleanups {
  readonly #cleanups: ((keep: boolean) => Promise<unknown>)[] = [];

  add(end: (keep: boolean) => Promise<unknown>): void {
    this.#cleanups.push(end);
  }

  async run(keep: boolean): Promise<void> {
    for (const end of this.#cleanups.splice(0).reverse()) {
      await end(keep).catch((error) => process.stderr.write(`could not end everything: ${error}\n`));
    }
  }
}
