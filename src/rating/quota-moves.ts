/** Where counters keep a number each for the batch that was rated last. */
interface CounterNotes {
  lastRow(counter: number): number;
  noteRow(counter: number, place: number): void;
}

/**
 * Counters of further quotas that a batch's charged records count in, each once, in the order of their first records: the i-th of
 * each list makes the i-th move. A counter knows its place in the row that it was noted with (`CounterTable.lastRow`).
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

  get count(): number {
    return this.counter.length;
  }

  note(counters: CounterNotes, counter: number, quota: number, row: number, usedOctets: number): void {
    let place = counters.lastRow(counter);
    if (this.counter[place] !== counter) {
      place = this.counter.push(counter) - 1;
      counters.noteRow(counter, place);
    }
    this.quota[place] = quota;
    this.row[place] = row;
    this.usedOctets[place] = usedOctets;
  }

  clear(): void {
    for (const list of [this.counter, this.quota, this.row, this.usedOctets]) list.length = 0;
  }
}
