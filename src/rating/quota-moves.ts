/**
 * Counters of further quotas that a batch's charged records count in, each once, in the order of their first records: the i-th of
 * each list makes the i-th move.
 */
export class QuotaMoves {
  /** The lane's counters. */
  readonly counter: number[] = [];
  /** Indexes into the catalogue's further quotas: the version that counted last. */
  readonly quota: number[] = [];
  /** The record that counted last. */
  readonly row: number[] = [];
  /** After it. */
  readonly usedOctets: number[] = [];
  readonly #placeOf = new Map<number, number>();

  get count(): number {
    return this.counter.length;
  }

  note(counter: number, quota: number, row: number, usedOctets: number): void {
    let place = this.#placeOf.get(counter);
    if (place === undefined) {
      place = this.counter.push(counter) - 1;
      this.#placeOf.set(counter, place);
    }
    this.quota[place] = quota;
    this.row[place] = row;
    this.usedOctets[place] = usedOctets;
  }

  clear(): void {
    for (const list of [this.counter, this.quota, this.row, this.usedOctets]) list.length = 0;
    this.#placeOf.clear();
  }
}
