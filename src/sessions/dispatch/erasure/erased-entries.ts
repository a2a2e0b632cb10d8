/** Fields whose values lead from one entry of a subscriber to others that do not name the subscriber. */
const LINKS = ['sessionId', 'tokenId', 'reportId'] as const;

/** Returns which entries of a store are of erased subscribers, whatever database they are in and whatever shape they have. */
export class ErasedEntries {
  readonly #pseudonyms: readonly string[];
  readonly #ids = new Set<string>();

  constructor(pseudonyms: readonly string[]) {
    this.#pseudonyms = pseudonyms;
  }

  /** Remembers the ids that an entry of a subscriber has. Every entry has to be learned before `has` is asked. */
  learn(key: unknown, value: unknown): void {
    if (typeof value !== 'object' || value === null || !this.#isNamed([key, value])) return;
    for (const link of LINKS) {
      const id = (value as Record<string, unknown>)[link];
      if (typeof id === 'string') this.#ids.add(id);
    }
  }

  has(key: unknown, value: unknown): boolean {
    return this.#isNamed([key, value]);
  }

  #isNamed(part: unknown): boolean {
    if (typeof part === 'string') {
      return this.#ids.has(part) || this.#pseudonyms.some((pseudonym) => part.includes(pseudonym));
    }
    if (typeof part !== 'object' || part === null) return false;
    return Object.entries(part).some(([name, each]) => this.#isNamed(each) || this.#isNamed(name));
  }
}
