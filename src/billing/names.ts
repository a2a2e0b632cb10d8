/** Names as small integers, in the order of their first appearance. */
export class Names {
  readonly #list: string[] = [];
  readonly #numbers = new Map<string, number>();

  get list(): readonly string[] {
    return this.#list;
  }

  numberOf(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const number = this.#list.push(name) - 1;
    this.#numbers.set(name, number);
    return number;
  }
}
