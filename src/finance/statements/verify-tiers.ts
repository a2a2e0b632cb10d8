import type { ExportedRow } from './exported-row.ts';
import { OCTETS_PER_MIB, sumOf } from './statement-arithmetic.ts';
import type { StatementLine, StatementTier } from './statement-document.ts';

/** Checks the tiers of one line: that they add up, and that the octets and charges of its rows follow from them. */
export class TierCheck {
  readonly #line: StatementLine;
  /** By tier; null where two catalogues had overlapping tiers, and rows do not name their catalogue. */
  readonly #octets: bigint[] | null;
  /** Whether the tiers continue from octet 0 without a gap, so that a charge follows from them. */
  readonly #isWhole: boolean;

  constructor(line: StatementLine) {
    this.#line = line;
    this.#octets = overlap(line.tiers) ? null : line.tiers.map(() => 0n);
    this.#isWhole = line.tiers.every(
      ({ fromOctets }, at) => fromOctets === (at === 0 ? 0n : line.tiers[at - 1].toOctets),
    );
  }

  /**
   * Adds a row, whose octets move its counter from `used_octets_after` less the octets to `used_octets_after`. Returns what
   * is wrong with its charge by the tiers, or null.
   */
  add(row: ExportedRow): string | null {
    const after = BigInt(row.used_octets_after);
    const before = after - BigInt(row.sponsored_octets);
    if (before < 0n || after < before) return `sponsored_octets is ${row.sponsored_octets}, and its counter ${after}`;
    if (this.#octets === null) return null;
    for (const [at, tier] of this.#line.tiers.entries()) this.#octets[at] += octetsWithin(tier, before, after);
    if (!this.#isWhole) return null;
    const micros = chargeMicrosOf(this.#line.tiers, after) - chargeMicrosOf(this.#line.tiers, before);
    if (String(micros) === row.charge_micros) return null;
    return `charge_micros is ${row.charge_micros}, and ${micros} by the tiers of the statement`;
  }

  /** Returns the octets of the rows in a tier; null where rows do not give them. */
  octetsOf(at: number): bigint | null {
    return this.#octets?.[at] ?? null;
  }
}

/** Returns contradictions within tiers, a sentence each. */
export function tierFaults({ tiers, sponsoredOctets }: StatementLine): string[] {
  const octets = sumOf(tiers, (tier) => tier.octets);
  const empty = tiers.filter(({ fromOctets, toOctets }) => toOctets !== null && toOctets <= fromOctets);
  return [
    ...(octets === sponsoredOctets ? [] : [`its tiers have ${octets} octets of ${sponsoredOctets}`]),
    ...empty.map(({ fromOctets, toOctets }) => `the tier from ${fromOctets} octets ends at ${toOctets}`),
  ];
}

/** Returns what octets of one counter cost in all, rounded once (design.md, rule 6). */
function chargeMicrosOf(tiers: readonly StatementTier[], octets: bigint): bigint {
  const weighted = sumOf(tiers, (tier) => octetsWithin(tier, 0n, octets) * tier.pricePerMiBMicros);
  return (weighted + OCTETS_PER_MIB / 2n) / OCTETS_PER_MIB;
}

function octetsWithin({ fromOctets, toOctets }: StatementTier, before: bigint, after: bigint): bigint {
  const from = before > fromOctets ? before : fromOctets;
  const to = toOctets === null || after < toOctets ? after : toOctets;
  return to > from ? to - from : 0n;
}

function overlap(tiers: readonly StatementTier[]): boolean {
  const ordered = tiers.toSorted((a, b) => (a.fromOctets < b.fromOctets ? -1 : 1));
  return ordered.some(
    ({ toOctets }, at) =>
      at < ordered.length - 1 && (toOctets ?? Number.POSITIVE_INFINITY) > ordered[at + 1].fromOctets,
  );
}
