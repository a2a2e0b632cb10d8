import { literal, type Store } from '../../platform/clickhouse/store.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import type { Rules } from '../../rating/rules.ts';
import { CampaignRules } from './batch-campaigns.ts';
import { CurrentCharges } from './current-charges.ts';
import { Difference, type DifferenceLine, noUsage } from './difference.ts';
import { cutSpans, readSpans } from './log-spans.ts';
import { readCurrentCharges } from './read-current-charges.ts';
import { applicationIndexes, OFFSETS_AT_ONCE, type ReratingWatch, tornPeriodText } from './rerate.ts';
import { type PeriodRange, RerateLane } from './rerate-lane.ts';
import { FROM_SOURCE, readUnratable } from './unratable-plans.ts';

/** A line of a what-if, with its sponsor and currency. */
export type SponsorLine = DifferenceLine & { sponsorId: string; currency: string };

/** An application that a draft cannot be applied to, and why. */
interface RefusedApplication {
  applicationId: string;
  reason: string;
}

export interface WhatIf {
  lines: SponsorLine[];
  /** Their charges are in no line. */
  refused: RefusedApplication[];
}

/** The charges of one sponsor for one application. */
interface Charged {
  sponsorId: string;
  currency: string;
  applicationId: string;
  difference: Difference;
}

/**
 * Returns what charges would have been under a draft catalogue, by sponsor: of all sponsors, or of one, with the
 * applications that the draft gives it. An application that moves to another sponsor takes its charges along. An application
 * that the draft cannot be applied to is refused (a part of a period, another currency of the same sponsor, or conditions on what
 * the rows do not keep), and the
 * others are computed. Books nothing.
 */
export async function whatIf(
  store: Store,
  rules: Rules,
  { sponsorId, range }: { sponsorId: string | null; range: PeriodRange },
  { onProgress }: Pick<ReratingWatch, 'onProgress'> = {},
): Promise<WhatIf> {
  const { catalogue } = rules;
  const charges = new CurrentCharges(OFFSETS_AT_ONCE);
  const applicationIndex = applicationIndexes(catalogue);
  const campaignRules = new CampaignRules(store, rules);
  const selection = { range, charged: sponsorId === null ? 'true' : chargedOrGiven(catalogue, sponsorId) };
  const charged = new Map<string, Charged>();
  const refused = new Map<string, string>();
  let records = 0;
  let laneName: string | null = null;
  let lane = new RerateLane(rules, range);
  const noteTorn = () => {
    for (const period of lane.tornPeriods()) {
      for (const application of applicationsCounting(catalogue, period.planId)) {
        refused.set(application, tornPeriodText(period, range));
      }
    }
  };
  for (const span of cutSpans(await readSpans(store, selection), OFFSETS_AT_ONCE)) {
    if (span.lane !== laneName) {
      noteTorn();
      [laneName, lane] = [span.lane, new RerateLane(rules, range)];
    }
    await readCurrentCharges(store, selection, span, { applicationIndex, subscribers: lane.subscribers }, charges);
    lane.rate(charges, await campaignRules.of(span, charges));
    for (let row = 0; row < charges.records.count; row++) {
      if (charges.isInRange[row] === 0) continue;
      chargedOf(charged, charges, row).difference.add(charges, row);
      records++;
    }
    onProgress?.(records);
  }
  noteTorn();
  for (const { applicationId, reason } of await readUnratable(store, catalogue.canonicalJson, range)) {
    refused.set(applicationId, `${reason}: ${FROM_SOURCE}`);
  }
  for (const { applicationId, sponsorId, currency } of charged.values()) {
    const payer = payerOf(catalogue, applicationId);
    if (payer?.id === sponsorId && payer.currency !== currency) {
      refused.set(
        applicationId,
        `sponsor ${sponsorId} has ${payer.currency} in the catalogue and was charged in ${currency}: an account keeps its currency`,
      );
    }
  }
  const answered = [...charged.values()].filter(({ applicationId }) => !refused.has(applicationId));
  return {
    lines: answered.flatMap((each) => linesOf(each, catalogue)),
    refused: [...refused].map(([applicationId, reason]) => ({ applicationId, reason })).sort(byApplication),
  };
}

/** Returns the ids of the applications whose records count in a plan or a further quota. */
function applicationsCounting({ plans, applications, furtherQuotas }: Catalogue, id: string): Set<string> {
  const counting = plans.filter(
    (plan) => plan.id === id || plan.furtherQuotas.some((index) => furtherQuotas[index].id === id),
  );
  return new Set(counting.map(({ application }) => applications[application].id));
}

/** In SQL: the charges of a sponsor, and those of the applications that the draft gives it. */
function chargedOrGiven({ applications, sponsors }: Catalogue, sponsorId: string): string {
  const given = applications.filter(({ sponsor }) => sponsors[sponsor].id === sponsorId).map(({ id }) => literal(id));
  const charged = `sponsor_id = ${literal(sponsorId)}`;
  return given.length === 0 ? charged : `(${charged} OR application_id IN (${given.join(', ')}))`;
}

function chargedOf(known: Map<string, Charged>, charges: CurrentCharges, row: number): Charged {
  const { names } = charges;
  const key = `${charges.sponsor[row]} ${charges.currency[row]} ${charges.applicationName[row]}`;
  let charged = known.get(key);
  if (charged === undefined) {
    charged = {
      sponsorId: names.list[charges.sponsor[row]],
      currency: names.list[charges.currency[row]],
      applicationId: names.list[charges.applicationName[row]],
      difference: new Difference(charges.plans),
    };
    known.set(key, charged);
  }
  return charged;
}

/**
 * Returns the lines of an application. If it moves, its charges until now are the one sponsor's, and those under the draft
 * the other's.
 */
function linesOf({ sponsorId, currency, applicationId, difference }: Charged, catalogue: Catalogue): SponsorLine[] {
  const payer = payerOf(catalogue, applicationId);
  const lines = difference.lines();
  if (payer === undefined || payer.id === sponsorId) return lines.map((line) => ({ ...line, sponsorId, currency }));
  return [
    ...lines.map((line) => ({ ...line, after: noUsage(), sponsorId, currency })),
    ...lines.map((line) => ({ ...line, before: noUsage(), sponsorId: payer.id, currency: payer.currency })),
  ].filter(({ before, after }) => before.records + after.records > 0n);
}

function payerOf({ applications, sponsors }: Catalogue, applicationId: string) {
  const application = applications.find(({ id }) => id === applicationId);
  return application && sponsors[application.sponsor];
}

function byApplication(a: RefusedApplication, b: RefusedApplication): number {
  return a.applicationId < b.applicationId ? -1 : 1;
}
