/** Terms of a closed month as its row has them: JSON, whole numbers as text. */
export interface PostedTerms {
  id: string;
  version: number;
  applicationId: string | null;
  flatFeeMicros: string;
  minimumCommitmentMicros: string | null;
  volumeRebate: { appliesTo: string; bands: { fromOctets: string; basisPoints: number }[] } | null;
  sponsoredOctets: string;
  chargeMicros: string;
  rebateMicros: string;
  countedMicros: string;
  shortfallMicros: string;
  amountMicros: string;
}

/** What a closing covers of one application. */
export interface CoveredCharges {
  octets: bigint;
  micros: bigint;
}

/** What terms must have billed. */
export type SecondTerms = Record<
  'sponsoredOctets' | 'chargeMicros' | 'rebateMicros' | 'countedMicros' | 'shortfallMicros' | 'amountMicros',
  bigint
>;

const WHOLE = 10_000n;

/**
 * Computes what a month's terms bill a second time, from the charges that its closing covers, by application. It shares no code
 * with the closing. An application's terms: its charges, the rebate on them, what is left, and what that lacks to the commitment.
 * Terms of all applications see the charges less those rebates, and what those shortfalls added counts for them.
 */
export function secondMonthlyTerms(
  posted: readonly PostedTerms[],
  covered: ReadonlyMap<string, CoveredCharges>,
): SecondTerms[] {
  let rebatesOfApplications = 0n;
  let shortfallsOfApplications = 0n;
  const computed = new Map<PostedTerms, SecondTerms>();
  // Whatever the order of the list: applications before the whole.
  const inOrder = [...posted].sort((a, b) => Number(a.applicationId === null) - Number(b.applicationId === null));
  for (const terms of inOrder) {
    const isWhole = terms.applicationId === null;
    const charges = isWhole ? allOf(covered) : covered.get(terms.applicationId ?? '');
    const octets = charges?.octets ?? 0n;
    const micros = (charges?.micros ?? 0n) - (isWhole ? rebatesOfApplications : 0n);
    const rebate = secondRebate(terms.volumeRebate, octets, micros);
    const counted = micros - rebate + (isWhole ? shortfallsOfApplications : 0n);
    const committed = terms.minimumCommitmentMicros;
    const shortfall = committed !== null && BigInt(committed) > counted ? BigInt(committed) - counted : 0n;
    if (!isWhole) {
      rebatesOfApplications += rebate;
      shortfallsOfApplications += shortfall;
    }
    computed.set(terms, {
      sponsoredOctets: octets,
      chargeMicros: micros,
      rebateMicros: rebate,
      countedMicros: counted,
      shortfallMicros: shortfall,
      amountMicros: BigInt(terms.flatFeeMicros) - rebate + shortfall,
    });
  }
  return posted.map((terms) => computed.get(terms) as SecondTerms);
}

function allOf(covered: ReadonlyMap<string, CoveredCharges>): CoveredCharges {
  let [octets, micros] = [0n, 0n];
  for (const each of covered.values()) {
    octets += each.octets;
    micros += each.micros;
  }
  return { octets, micros };
}

/** Returns the rebate as the numerator and denominator of one fraction, divided once. */
function secondRebate(rebate: PostedTerms['volumeRebate'], octets: bigint, micros: bigint): bigint {
  if (rebate === null) return 0n;
  const volume = octets < 0n ? 0n : octets;
  if (rebate.appliesTo === 'charges_in_band' && volume > 0n) {
    let basisPointOctets = 0n;
    // Each band gives its own rate less that of the band before to all octets above its beginning.
    let rateBefore = 0n;
    for (const { fromOctets, basisPoints } of rebate.bands) {
      const above = volume - BigInt(fromOctets);
      if (above > 0n) basisPointOctets += above * (BigInt(basisPoints) - rateBefore);
      rateBefore = BigInt(basisPoints);
    }
    return nearest(micros * basisPointOctets, WHOLE * volume);
  }
  let rate = 0n;
  for (const { fromOctets, basisPoints } of rebate.bands) {
    if (volume >= BigInt(fromOctets)) rate = BigInt(basisPoints);
  }
  return nearest(micros * rate, WHOLE);
}

/** Returns the nearest whole number to a fraction; of two equally near ones that farther from 0. */
function nearest(numerator: bigint, denominator: bigint): bigint {
  const truncated = numerator / denominator;
  const rest = numerator - truncated * denominator;
  const isFar = 2n * (rest < 0n ? -rest : rest) >= denominator;
  if (!isFar) return truncated;
  return numerator < 0n ? truncated - 1n : truncated + 1n;
}
