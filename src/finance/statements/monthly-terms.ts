import * as z from 'zod';
import { KEPT_CATALOGUES } from '../../journal/kept-catalogues.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { compileMonthlyTerms, monthlyTermsSchema } from '../../rating/catalogue/catalogue-monthly-terms.ts';
import type { MonthlyTerms } from '../../rating/catalogue.ts';
import type { Month } from '../month.ts';
import { NEWEST_BOOKED_FIRST } from '../sponsor.ts';
import type { Statement, StatementTerms } from './statement-document.ts';

const ALL_BASIS_POINTS = 10_000n;

/** What was agreed, as a statement has it. */
export type AgreedTerms = Pick<
  StatementTerms,
  'id' | 'version' | 'applicationId' | 'flatFeeMicros' | 'minimumCommitmentMicros' | 'volumeRebate'
>;

/** What a statement charges: of an application, or in all. */
export type BilledUsage = Pick<StatementTerms, 'sponsoredOctets' | 'chargeMicros'>;

/** Returns a sponsor's terms in the newest catalogue of the store that names it (see NEWEST_BOOKED_FIRST). */
export async function readMonthlyTerms(store: Store, sponsorId: string): Promise<MonthlyTerms[]> {
  const ids = "arrayMap(each -> JSONExtractString(each, 'id'), JSONExtractArrayRaw(document, 'sponsors'))";
  const [found] = await store.query<{ terms: string }>(
    `SELECT JSONExtractRaw(document, 'monthlyTerms') AS terms FROM ${KEPT_CATALOGUES} ` +
      `WHERE has(${ids}, ${literal(sponsorId)}) ORDER BY ${NEWEST_BOOKED_FIRST} LIMIT 1`,
  );
  if (found === undefined || found.terms === '') return [];
  const all = z.array(monthlyTermsSchema).parse(JSON.parse(found.terms));
  return all.filter(({ sponsor }) => sponsor === sponsorId).map(compileMonthlyTerms);
}

/** Returns a sponsor's terms of a month: those of its applications by id, then its own. */
export function agreedIn(all: readonly MonthlyTerms[], sponsorId: string, month: Month): AgreedTerms[] {
  const inForce = all.filter(
    (terms) =>
      terms.sponsorId === sponsorId && terms.fromMonth <= month && (terms.toMonth === null || month < terms.toMonth),
  );
  const ofApplications = inForce.filter(({ applicationId }) => applicationId !== null);
  ofApplications.sort((a, b) => (String(a.applicationId) < String(b.applicationId) ? -1 : 1));
  return [...ofApplications, ...inForce.filter(({ applicationId }) => applicationId === null)].map(agreedOf);
}

function agreedOf(terms: MonthlyTerms): AgreedTerms {
  const { id, version, applicationId, flatFeeMicros, minimumCommitmentMicros, volumeRebate } = terms;
  return {
    id,
    version,
    applicationId,
    flatFeeMicros: BigInt(flatFeeMicros),
    minimumCommitmentMicros: minimumCommitmentMicros === null ? null : BigInt(minimumCommitmentMicros),
    volumeRebate:
      volumeRebate === null
        ? null
        : {
            appliesTo: volumeRebate.appliesTo,
            bands: volumeRebate.bands.map(({ fromOctets, basisPoints }) => ({
              fromOctets: BigInt(fromOctets),
              basisPoints,
            })),
          },
  };
}

/** Returns the first month that any of a sponsor's terms is in force in; null: it has none. */
export function firstMonthOfTerms(all: readonly MonthlyTerms[], sponsorId: string): Month | null {
  const months = all.filter((terms) => terms.sponsorId === sponsorId).map(({ fromMonth }) => fromMonth);
  return months.sort()[0] ?? null;
}

/**
 * Returns what a month's terms bill, in their order. First each application's: the rebate on its charges, rounded once to the
 * micro-unit, then its shortfall. Then the sponsor's own: the rebate on all charges less those rebates, then the shortfall,
 * towards which the applications' shortfalls count. Flat fees come on top of all. `usageOf(null)` is the usage of all applications.
 */
export function billTerms(
  agreed: readonly AgreedTerms[],
  usageOf: (applicationId: string | null) => BilledUsage,
): StatementTerms[] {
  const billed: StatementTerms[] = [];
  for (const terms of agreed) {
    const usage = usageOf(terms.applicationId);
    const before = terms.applicationId === null ? billed : [];
    const chargeMicros = before.reduce((rest, { rebateMicros }) => rest - rebateMicros, usage.chargeMicros);
    const rebateMicros = rebateOf(terms.volumeRebate, { ...usage, chargeMicros });
    const countedMicros = before.reduce(
      (sum, { shortfallMicros }) => sum + shortfallMicros,
      chargeMicros - rebateMicros,
    );
    const missingMicros = (terms.minimumCommitmentMicros ?? countedMicros) - countedMicros;
    const shortfallMicros = missingMicros > 0n ? missingMicros : 0n;
    billed.push({
      ...terms,
      sponsoredOctets: usage.sponsoredOctets,
      chargeMicros,
      rebateMicros,
      countedMicros,
      shortfallMicros,
      amountMicros: terms.flatFeeMicros + shortfallMicros - rebateMicros,
    });
  }
  return billed;
}

/** Returns the rebate in micro-units, rounded half away from zero. Of charges below 0 it is below 0: it takes back a rebate. */
function rebateOf(rebate: StatementTerms['volumeRebate'], { sponsoredOctets, chargeMicros }: BilledUsage): bigint {
  if (rebate === null) return 0n;
  const octets = sponsoredOctets > 0n ? sponsoredOctets : 0n;
  const reached = rebate.bands.filter(({ fromOctets }) => fromOctets <= octets);
  const highest = reached.at(-1);
  if (highest === undefined) return 0n;
  if (rebate.appliesTo === 'all_charges' || octets === 0n) {
    return divided(chargeMicros * BigInt(highest.basisPoints), ALL_BASIS_POINTS);
  }
  const weighted = reached.reduce((sum, { fromOctets, basisPoints }, at) => {
    const end = reached[at + 1]?.fromOctets ?? octets;
    return sum + (end - fromOctets) * BigInt(basisPoints);
  }, 0n);
  return divided(chargeMicros * weighted, ALL_BASIS_POINTS * octets);
}

/** Returns a quotient, rounded half away from zero. The divisor is above 0. */
function divided(dividend: bigint, divisor: bigint): bigint {
  const magnitude = dividend < 0n ? -dividend : dividend;
  const quotient = (magnitude * 2n + divisor) / (divisor * 2n);
  return dividend < 0n ? -quotient : quotient;
}

export const TERMS_KINDS = ['flat-fee', 'volume-rebate', 'shortfall'] as const;
type TermsKind = (typeof TERMS_KINDS)[number];

/** One amount of a statement's terms: what it adds to the bill. */
export interface TermsPart {
  kind: TermsKind;
  terms: StatementTerms;
  amountMicros: bigint;
}

/** Returns the amounts that are not 0, by terms: flat fee, volume rebate, shortfall. */
export function termsParts({ monthlyTerms = [] }: Pick<Statement, 'monthlyTerms'>): TermsPart[] {
  return monthlyTerms
    .flatMap((terms): TermsPart[] => [
      { kind: 'flat-fee', terms, amountMicros: terms.flatFeeMicros },
      { kind: 'volume-rebate', terms, amountMicros: -terms.rebateMicros },
      { kind: 'shortfall', terms, amountMicros: terms.shortfallMicros },
    ])
    .filter(({ amountMicros }) => amountMicros !== 0n);
}

/** Returns the sum of a kind over all terms: what it adds to the bill. */
export function sumOfKind(statement: Pick<Statement, 'monthlyTerms'>, kind: TermsKind): bigint {
  const parts = termsParts(statement).filter((part) => part.kind === kind);
  return parts.reduce((sum, { amountMicros }) => sum + amountMicros, 0n);
}

const NAMES: Record<TermsKind, string> = {
  'flat-fee': 'Flat fee',
  'volume-rebate': 'Volume rebate',
  shortfall: 'Shortfall to the minimum commitment',
};

export function kindName(kind: TermsKind): string {
  return NAMES[kind];
}

/** Returns `chatter-2027 version 1, application chat`. */
export function termsName({ id, version, applicationId }: AgreedTerms): string {
  return `${id} version ${version}${applicationId === null ? '' : `, application ${applicationId}`}`;
}
