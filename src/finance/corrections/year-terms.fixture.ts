import { secondMonthlyTerms } from '../../assurance/audit/second-monthly-terms.ts';
import type { Month } from '../month.ts';

/** Terms of a sponsor, or of its only application. */
interface YearTerms {
  id: string;
  isOfApplication?: boolean;
  from: Month;
  to: Month | null;
  fee: bigint;
  committed: bigint | null;
  rebate: { appliesTo: 'all_charges' | 'charges_in_band'; bands: [fromOctets: number, basisPoints: number][] } | null;
}

/** Of every kind and currency, with versions that follow each other; the last sponsor's months stay open. */
export const TERMS: Record<string, YearTerms[]> = {
  s01: [
    { id: 'a', from: '2026-03', to: '2026-08', fee: 12_500_000n, committed: 90_000_000n, rebate: null },
    {
      id: 'b',
      from: '2026-08',
      to: null,
      fee: 0n,
      committed: null,
      rebate: {
        appliesTo: 'charges_in_band',
        bands: [
          [1, 250],
          [9_000_000, 1_111],
        ],
      },
    },
  ],
  s02: [
    {
      id: 'c',
      from: '2026-02',
      to: null,
      fee: 0n,
      committed: 20_000_000n,
      rebate: {
        appliesTo: 'all_charges',
        bands: [
          [0, 1],
          [20_000_000, 3_333],
        ],
      },
    },
  ],
  s03: [{ id: 'd', from: '2026-03', to: null, fee: 125_000n, committed: null, rebate: null }],
  s04: [
    {
      id: 'e',
      isOfApplication: true,
      from: '2026-03',
      to: '2026-11',
      fee: 100n,
      committed: 30_000_000n,
      rebate: { appliesTo: 'all_charges', bands: [[0, 777]] },
    },
    {
      id: 'f',
      from: '2026-04',
      to: null,
      fee: 700n,
      committed: 40_000_000n,
      rebate: { appliesTo: 'charges_in_band', bands: [[5_000_000, 10_000]] },
    },
  ],
  s05: [{ id: 'g', from: '2026-03', to: null, fee: 5_000_000n, committed: 1_000_000_000n, rebate: null }],
};

/** Returns an entry of `monthlyTerms`. */
export function yamlOf(sponsor: string, { id, isOfApplication, from, to, fee, committed, rebate }: YearTerms): string {
  const bands = rebate?.bands.map(([fromOctets, basisPoints]) => ({ fromOctets, basisPoints }));
  // A value of JSON is one of YAML.
  return JSON.stringify({
    ...{ id, version: 1, sponsor, effectiveFrom: `${from}-01`, effectiveTo: to === null ? null : `${to}-01` },
    ...(isOfApplication === true && { application: `app-${sponsor}` }),
    flatFee: unitsOf(fee),
    ...(committed !== null && { minimumCommitment: unitsOf(committed) }),
    ...(rebate !== null && { volumeRebate: { appliesTo: rebate.appliesTo, bands } }),
  });
}

function unitsOf(micros: bigint): string {
  const digits = String(micros).padStart(7, '0');
  return `${digits.slice(0, -6)}.${digits.slice(-6)}`;
}

/** Returns what the terms of a month bill, computed a second time from the charges of its only application. */
export function expectedTermsMicros(
  sponsorId: string,
  month: Month,
  lines: ReadonlyMap<string, { sponsoredOctets: bigint; chargeMicros: bigint }>,
): bigint {
  const inForce = (TERMS[sponsorId] ?? []).filter(({ from, to }) => from <= month && (to === null || month < to));
  const posted = inForce.map(({ id, isOfApplication, fee, committed, rebate }) => ({
    ...NO_AMOUNTS,
    ...{ id, version: 1, applicationId: isOfApplication === true ? `app-${sponsorId}` : null },
    flatFeeMicros: String(fee),
    minimumCommitmentMicros: committed === null ? null : String(committed),
    volumeRebate: rebate && {
      appliesTo: rebate.appliesTo,
      bands: rebate.bands.map(([fromOctets, basisPoints]) => ({ fromOctets: String(fromOctets), basisPoints })),
    },
  }));
  const sums = { octets: 0n, micros: 0n };
  for (const { sponsoredOctets, chargeMicros } of lines.values()) {
    sums.octets += sponsoredOctets;
    sums.micros += chargeMicros;
  }
  const billed = secondMonthlyTerms(posted, new Map([[`app-${sponsorId}`, sums]]));
  return billed.reduce((total, { amountMicros }) => total + amountMicros, 0n);
}

const NO_AMOUNTS = {
  ...{ sponsoredOctets: '0', chargeMicros: '0', rebateMicros: '0', countedMicros: '0' },
  ...{ shortfallMicros: '0', amountMicros: '0' },
};
