import type * as z from 'zod';
import type { catalogueSchema } from '../../rating/catalogue/catalogue-document.ts';

const MICROS_DECIMALS = 6;
const OCTETS_PER_MIB = 1n << 20n;

/** The catalogue in its canonical JSON; a field with a default may be absent from an older one. */
export type Document = z.input<typeof catalogueSchema>;

/** A plan's document, its times in milliseconds and its money and octets in big integers. */
export interface SecondPlan {
  document: Document['plans'][number];
  fromMs: number;
  /** Infinity: no end. */
  toMs: number;
  /** null: no limit. */
  quotaOctets: bigint | null;
  /** What else limits the plan's records: its windows, and the groups that name it. */
  limits: readonly SecondLimit[];
  /** `upToOctets` is null for the last one. */
  tiers: readonly { upToOctets: bigint | null; pricePerMiBMicros: bigint }[];
}

/** A quota that a record must not exceed either, by a counter of its own. */
export interface SecondLimit {
  name: string;
  version: number;
  /** Counts records that start from `fromMs` on and before `toMs`. */
  fromMs: number;
  toMs: number;
  period: 'day' | 'week' | 'month';
  timeZone: string;
  /** Counts all SIMs of a customer's account together. */
  byAccount: boolean;
  octets: bigint;
}

/** Compiles a plan, with what else limits it: its windows, and those of the catalogue's groups that name it. */
export function secondPlanOf(document: SecondPlan['document'], quotas: NonNullable<Document['quotas']>): SecondPlan {
  const { id, version, timeZone, effectiveFrom, effectiveTo, quotaOctets, tiers, windows = [] } = document;
  const dates = datesOf(effectiveFrom, effectiveTo);
  const limits = windows.map(
    (window): SecondLimit => ({
      name: `${id}:${window.period}`,
      version,
      ...dates,
      period: window.period,
      timeZone,
      byAccount: false,
      octets: BigInt(window.quotaOctets),
    }),
  );
  for (const quota of quotas) {
    if (!quota.plans.includes(id)) continue;
    const byAccount = quota.per === 'account';
    limits.push({
      name: byAccount ? `${quota.id}:account` : quota.id,
      version: quota.version,
      ...datesOf(quota.effectiveFrom, quota.effectiveTo),
      period: quota.period,
      timeZone: quota.timeZone,
      byAccount,
      octets: BigInt(quota.quotaOctets),
    });
  }
  return {
    document,
    limits,
    ...dates,
    quotaOctets: quotaOctets === null ? null : BigInt(quotaOctets),
    tiers: tiers.map(({ upToOctets, pricePerMiB }) => ({
      upToOctets: upToOctets === null ? null : BigInt(upToOctets),
      pricePerMiBMicros: microsOf(pricePerMiB),
    })),
  };
}

function datesOf(from: string, to: string | null): { fromMs: number; toMs: number } {
  return { fromMs: Date.parse(from), toMs: to === null ? Number.POSITIVE_INFINITY : Date.parse(to) };
}

export function microsOf(decimal: string): bigint {
  const [units, decimals = ''] = decimal.split('.');
  return BigInt(units + decimals.padEnd(MICROS_DECIMALS, '0'));
}

/** Returns F(u) of the tiered price in micro-units: each octet at the price of its tier, rounded half up once. */
export function priceOf({ tiers }: SecondPlan, octets: bigint): bigint {
  let sum = 0n; // micros per MiB x octets
  let from = 0n;
  for (const { upToOctets, pricePerMiBMicros } of tiers) {
    const end = upToOctets === null || upToOctets > octets ? octets : upToOctets;
    sum += (end - from) * pricePerMiBMicros;
    from = end;
  }
  return (sum + OCTETS_PER_MIB / 2n) / OCTETS_PER_MIB;
}
