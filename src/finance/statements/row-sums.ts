import type { ExportedRow } from './exported-row.ts';

/** The sums of rows. */
export interface RowSums {
  rows: number;
  sponsoredOctets: bigint;
  subscriberOctets: bigint;
  chargeMicros: bigint;
}

/** Sums of rows by group: `key` returns the fields that name a group, once for each name. */
export class GroupedSums<K extends object> {
  readonly #groups = new Map<string, K & RowSums>();

  add(name: string, row: ExportedRow, key: () => K): void {
    let sums = this.#groups.get(name);
    if (sums === undefined) {
      sums = { ...key(), rows: 0, sponsoredOctets: 0n, subscriberOctets: 0n, chargeMicros: 0n };
      this.#groups.set(name, sums);
    }
    sums.rows++;
    sums.sponsoredOctets += BigInt(row.sponsored_octets);
    sums.subscriberOctets += BigInt(row.subscriber_octets);
    sums.chargeMicros += BigInt(row.charge_micros);
  }

  /** Returns the groups in the order of the fields that `orderOf` returns. */
  sorted(orderOf: (key: K) => readonly (string | number)[]): (K & RowSums)[] {
    return [...this.#groups.values()].sort((a, b) => compareLists(orderOf(a), orderOf(b)));
  }
}

function compareLists(a: readonly (string | number)[], b: readonly (string | number)[]): number {
  for (const [at, value] of a.entries()) if (value !== b[at]) return value < b[at] ? -1 : 1;
  return 0;
}
