import type { PriceTier } from './catalogue.ts';

const OCTETS_PER_MIB = 2 ** 20;
const HALF_MIB = 2 ** 19;

/**
 * F(u): what `octets` sponsored octets of one subscriber and period cost in all, in micro-units:
 * floor((sum over tiers of octets in tier x price in micros per MiB + 2^19) / 2^20). Design section 2, rule 6.
 *
 * Whole MiB and the rest are summed apart, with prices below 2^32, so every product stays below 2^53 and doubles are exact.
 * A result above 2^53 - 1 is not exact; `rate` refuses it.
 */
export function cumulativeChargeMicros(tiers: readonly PriceTier[], octets: number): number {
  let wholeMicros = 0;
  let fraction = 0; // in 2^-20 micros, below 2^20
  let tierStart = 0;
  for (const { upToOctets, pricePerMiBMicros } of tiers) {
    const inTier = Math.min(octets, upToOctets) - tierStart;
    if (inTier <= 0) break;
    const restOctets = inTier % OCTETS_PER_MIB;
    const rest = fraction + restOctets * pricePerMiBMicros;
    fraction = rest % OCTETS_PER_MIB;
    wholeMicros += ((inTier - restOctets) / OCTETS_PER_MIB) * pricePerMiBMicros + (rest - fraction) / OCTETS_PER_MIB;
    tierStart = upToOctets;
  }
  return fraction >= HALF_MIB ? wholeMicros + 1 : wholeMicros;
}
