import { isWholeUnits, parseMicros } from '../money.ts';
import type { CatalogueDocument, CatalogueFault } from './catalogue-document.ts';
import { repeated, unknown } from './catalogue-identity-faults.ts';
import type { MonthlyTermsDocument } from './catalogue-monthly-terms.ts';
import { minorDigitsOf } from './currencies.ts';

interface Problem {
  field: readonly (string | number)[];
  message: string;
}

/** Monthly terms that name what is not there, overlap, say nothing, or have amounts or bands that cannot be billed. */
export function monthlyTermsFaults({ sponsors, applications, monthlyTerms = [] }: CatalogueDocument): CatalogueFault[] {
  const currencies = new Map(sponsors.map(({ id, currency }) => [id, currency]));
  const payers = new Map(applications.map(({ id, sponsor }) => [id, sponsor]));
  const list = 'monthlyTerms';
  const sponsorIds = monthlyTerms.map(({ sponsor }) => sponsor);
  const applicationIds = monthlyTerms.map(({ application }) => application);
  return [
    ...repeated(list, monthlyTerms, ({ id, version }) => `version ${version} of terms ${id}`),
    ...unknown(list, 'sponsor', sponsorIds, sponsors),
    ...unknown(list, 'application', applicationIds, applications),
    ...monthlyTerms.flatMap((terms, at) =>
      [
        ...payerProblems(terms, payers),
        ...unitProblems(terms, currencies.get(terms.sponsor)),
        ...ownProblems(terms),
      ].map(({ field, message }) => ({ path: [list, at, ...field], message })),
    ),
    ...overlaps(monthlyTerms),
  ];
}

function payerProblems(
  { application = '', sponsor }: MonthlyTermsDocument,
  payers: ReadonlyMap<string, string>,
): Problem[] {
  const payer = payers.get(application);
  if (payer === undefined || payer === sponsor) return [];
  const message = `application ${application} is of sponsor ${payer}, and these terms are of ${sponsor}`;
  return [{ field: ['application'], message }];
}

/** An invoice cannot ask for a part of the currency's smallest unit. */
function unitProblems(terms: MonthlyTermsDocument, currency: string | undefined): Problem[] {
  if (currency === undefined) return [];
  const decimals = minorDigitsOf(currency);
  return (['flatFee', 'minimumCommitment'] as const).flatMap((field) => {
    const text = terms[field];
    if (text === undefined || isWholeUnits(parseMicros(text) ?? 0, decimals)) return [];
    return [{ field: [field], message: `${currency} has ${decimals} decimals, and ${text} is finer than that` }];
  });
}

function ownProblems(terms: MonthlyTermsDocument): Problem[] {
  const { effectiveFrom, effectiveTo, flatFee, minimumCommitment, volumeRebate } = terms;
  const isEmpty = flatFee === undefined && minimumCommitment === undefined && volumeRebate === undefined;
  const bands = volumeRebate?.bands ?? [];
  return [
    ...(isEmpty ? [{ field: ['id'], message: 'expected a flatFee, a minimumCommitment or a volumeRebate' }] : []),
    ...(effectiveTo !== null && effectiveTo <= effectiveFrom
      ? [{ field: ['effectiveTo'], message: `${effectiveTo} is not after effectiveFrom ${effectiveFrom}` }]
      : []),
    ...bands.flatMap(({ fromOctets }, at) =>
      at === 0 || fromOctets > bands[at - 1].fromOctets
        ? []
        : [
            {
              field: ['volumeRebate', 'bands', at, 'fromOctets'],
              message: `bands must ascend: ${fromOctets} is not above ${bands[at - 1].fromOctets}`,
            },
          ],
    ),
  ];
}

/** Names, for each terms, one of the same charges that is still in force in its first month. Days of one form sort as texts do. */
function overlaps(monthlyTerms: readonly MonthlyTermsDocument[]): CatalogueFault[] {
  const order = monthlyTerms.map((terms, at) => ({ terms, at }));
  order.sort((a, b) =>
    a.terms.effectiveFrom < b.terms.effectiveFrom
      ? -1
      : a.terms.effectiveFrom > b.terms.effectiveFrom
        ? 1
        : a.at - b.at,
  );
  const lastToEnd = new Map<string, { terms: MonthlyTermsDocument; at: number }>();
  return order.flatMap(({ terms, at }) => {
    const { sponsor, application, effectiveFrom, effectiveTo } = terms;
    // Terms that end before they begin have their fault already.
    if (effectiveTo !== null && effectiveTo <= effectiveFrom) return [];
    const scope = `${sponsor} ${application ?? ''}`;
    const before = lastToEnd.get(scope);
    if (before === undefined || endOf(terms) > endOf(before.terms)) lastToEnd.set(scope, { terms, at });
    if (before === undefined || endOf(before.terms) <= effectiveFrom) return [];
    const of = application === undefined ? `sponsor ${sponsor} as a whole` : `application ${application}`;
    const message =
      `${describe(terms)} overlaps ${describe(before.terms)} (monthlyTerms[${before.at}]): ` +
      `one entry for ${of} is in force at a time`;
    return [{ path: ['monthlyTerms', at, 'effectiveFrom'], message }];
  });
}

function endOf({ effectiveTo }: MonthlyTermsDocument): string {
  return effectiveTo ?? 'no end';
}

function describe({ id, version, effectiveFrom, effectiveTo }: MonthlyTermsDocument): string {
  return `${id} version ${version} (${effectiveFrom} to ${effectiveTo ?? 'no end'})`;
}
