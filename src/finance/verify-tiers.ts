import type { ExportedRow } from './exported-row.ts';
import { sumOf, tierAmountMicros } from './statement-arithmetic.ts';
import type { StatementLine, StatementTier } from './statement-document.ts';

/** Checks the tiers of one line: that they add up, and that its rows' octets lie in them as it says. */
export class TierCheck {
  readonly #line: StatementLine;
  /** By tier; null where two catalogues had tiers that overlap, and rows do not say which was theirs. */
  readonly #octets: bigint[] | null;

  constructor(line: StatementLine) {
    this.#line = line;
    this.#octets = overlap(line.tiers) ? null : line.tiers.map(() => 0n);
  }

  /** A row has what its counter went through: from `used_octets_after` less its own octets up to it. */
  add(row: ExportedRow): void {
    if (this.#octets === null) return;
    const after = BigInt(row.used_octets_after);
    const before = after - BigInt(row.sponsored_octets);
    for (const [at, { fromOctets, toOctets }] of this.#line.tiers.entries()) {
      const from = before > fromOctets ? before : fromOctets;
      const to = toOctets === null || after < toOctets ? after : toOctets;
      if (to > from) this.#octets[at] += to - from;
    }
  }

  faults(): string[] {
    const { tiers, roundingMicros, sponsoredOctets, chargeMicros } = this.#line;
    const octets = sumOf(tiers, (tier) => tier.octets);
    const micros = roundingMicros + sumOf(tiers, (tier) => tier.amountMicros);
    return [
      ...tiers.flatMap((tier, at) => this.#tierFaults(tier, at)),
      ...(octets === sponsoredOctets ? [] : [`its tiers have ${octets} octets of ${sponsoredOctets}`]),
      ...(micros === chargeMicros ? [] : [`its tiers and rounding make ${micros} micro-units of ${chargeMicros}`]),
    ];
  }

  #tierFaults({ fromOctets, octets, pricePerMiBMicros, amountMicros }: StatementTier, at: number): string[] {
    const name = `the tier from ${fromOctets} octets`;
    const found = this.#octets?.[at] ?? octets;
    return [
      ...(found === octets ? [] : [`${name} has ${found} octets by the rows and ${octets} in the statement`]),
      ...(amountMicros === tierAmountMicros(octets, pricePerMiBMicros)
        ? []
        : [`the amount of ${name} is not octets x price`]),
    ];
  }
}

function overlap(tiers: readonly StatementTier[]): boolean {
  const ordered = tiers.toSorted((a, b) => (a.fromOctets < b.fromOctets ? -1 : 1));
  return ordered.some(
    ({ toOctets }, at) =>
      at < ordered.length - 1 && (toOctets ?? Number.POSITIVE_INFINITY) > ordered[at + 1].fromOctets,
  );
}
