import { REASONS } from '../../rating/outcome.ts';
import { monthName } from '../month.ts';
import { groupDigits, roundedOctets } from '../shown-money.ts';
import { type HtmlText, html } from '../statements/html-text.ts';
import { sumOf } from '../statements/statement-arithmetic.ts';
import { barChart } from '../statements/statement-charts.ts';
import { figure } from '../statements/usage-charts.ts';
import type { LeakageSource, OutcomeRow, PageData } from './page-data.ts';
import { cards, change, meter, monthLinks, nothing, page, section, table } from './page-parts.ts';

const REASON = new Map<string, (typeof REASONS)[number]>(REASONS.map((each) => [each.reason, each]));

/** Returns the page of traffic without a sponsor, by reason: the effect of a stale prefix list or a missing plan. */
export async function leakagePage(data: PageData, asked: string | null): Promise<string> {
  const head = { title: 'Leakage', path: '/leakage' };
  const months = await data.bookingMonths();
  const month = asked !== null && months.includes(asked) ? asked : months[0];
  if (month === undefined) return page(head, nothing('No batch is booked yet.'));
  const [outcomes, sources] = [await data.outcomes(month), await data.leakage(month)];
  const later = await data.sponsoredLater(month);
  const sections = SECTIONS.map((make) => make(outcomes));
  return page(
    head,
    html`${monthLinks(months, month, '/leakage')}${summary(outcomes, later, month)}${sourcesSection(sources)}${sections}`,
  );
}

/** Each section is made of a month's outcomes; add a section for another breakdown. */
const SECTIONS: readonly ((outcomes: readonly OutcomeRow[]) => HtmlText)[] = [
  notSponsoredSection,
  afterQuotaSection,
  rejectedSection,
];

function summary(
  outcomes: readonly OutcomeRow[],
  later: Awaited<ReturnType<PageData['sponsoredLater']>>,
  month: string,
): HtmlText {
  const all = sumOfOctets(outcomes);
  const lost = sumOfOctets(ofOutcome(outcomes, 'not_sponsored'));
  const rejected = sumOf(ofOutcome(outcomes, 'rejected'), ({ records }) => records);
  return section(
    `Booked in ${monthName(month)}`,
    cards([
      {
        name: 'Not sponsored',
        value: roundedOctets(lost),
        note: html`${meter(lost, all)} of ${roundedOctets(all)} read`,
      },
      ...(later.records === 0n
        ? []
        : [
            {
              name: 'Sponsored since',
              value: roundedOctets(later.allOctets),
              note: html`${groupDigits(later.records)} of these records, by corrections that read the source again`,
            },
          ]),
      {
        name: 'Charged records',
        value: roundedOctets(sumOfOctets(ofOutcome(outcomes, 'charged'))),
        note: 'sponsored and subscribers’ octets',
      },
      { name: 'Records rejected', value: groupDigits(rejected), note: 'could not be rated: see rejections' },
    ]),
  );
}

function sourcesSection(sources: readonly LeakageSource[]): HtmlText {
  const title = 'Where it comes from';
  const [first] = sources;
  if (first === undefined) return section(title, nothing('The batches of this month have no rows of leakage.'));
  const rows = table('Networks, tags and gateways of traffic that is not sponsored', sources, [
    { title: 'Network', kind: 'head', cell: ({ prefix }) => html`<code>${prefix}</code>` },
    { title: 'Tag', cell: ({ tag }) => tag || '–' },
    { title: 'Gateway', cell: ({ nodeId }) => nodeId },
    { title: 'Reason', cell: ({ reason }) => html`<code>${reason}</code>` },
    { title: 'Application', cell: ({ applicationId }) => applicationId || '–' },
    { title: 'Octets', kind: 'number', cell: ({ allOctets }) => roundedOctets(allOctets) },
    { title: 'Day before', kind: 'number', cell: ({ beforeOctets }) => roundedOctets(beforeOctets) },
    {
      title: 'Change',
      kind: 'number',
      cell: ({ allOctets, beforeOctets }) => (beforeOctets === 0n ? 'new' : change(allOctets, beforeOctets)),
    },
  ]);
  return section(
    title,
    rows,
    `The largest groups of what was booked on ${first.day}, beside the day before. A network that is new or grew may be an application’s whose addresses or tags changed.`,
  );
}

function notSponsoredSection(outcomes: readonly OutcomeRow[]): HtmlText {
  const own = ofOutcome(outcomes, 'not_sponsored');
  if (own.length === 0) return section('Not sponsored, by reason', nothing('All traffic that was read has a sponsor.'));
  const byReason = summed(own);
  const items = byReason.map(({ reason, allOctets }) => ({
    name: reason,
    shown: roundedOctets(allOctets),
    parts: [Number(allOctets)],
  }));
  const chart = barChart({
    id: 'leakage-by-reason',
    title: 'Octets that are not sponsored, by reason',
    summary: items.map(({ name, shown }) => `${name}: ${shown}`).join('; '),
    items,
    parts: ['subscriber'],
    axis: String,
    unit: 1,
  });
  return section(
    'Not sponsored, by reason',
    html`<div class="pair">${figure('Octets by reason', html``, chart)}</div>${outcomesTable('Traffic that is not sponsored, by reason and application', own)}`,
    'The application is that of the evidence, where there is any. Traffic without evidence may be other traffic, or an application’s whose tags or proxy prefixes the catalogue does not have.',
  );
}

function afterQuotaSection(outcomes: readonly OutcomeRow[]): HtmlText {
  const own = outcomes.filter(({ reason }) => reason === 'quota_exhausted');
  if (own.length === 0) return section('After a quota', nothing('No record came after a quota was used up.'));
  return section(
    'After a quota',
    outcomesTable('Traffic after a quota was used up, by application', own),
    'Rated under a plan whose quota was used up: the subscriber pays for it.',
  );
}

function rejectedSection(outcomes: readonly OutcomeRow[]): HtmlText {
  const own = ofOutcome(outcomes, 'rejected');
  if (own.length === 0) return section('Rejected', nothing('Every record could be rated.'));
  return section('Rejected', outcomesTable('Records that could not be rated, by reason', own, 'records'));
}

function outcomesTable(
  caption: string,
  rows: readonly OutcomeRow[],
  shareOf: 'octets' | 'records' = 'octets',
): HtmlText {
  const [records, octets] = [sumOf(rows, (each) => each.records), sumOfOctets(rows)];
  return table(
    caption,
    rows,
    [
      { title: 'Reason', kind: 'head', cell: ({ reason }) => html`<code>${reason}</code>` },
      { title: 'Meaning', cell: ({ reason }) => REASON.get(reason)?.meaning ?? '' },
      { title: 'Application', cell: ({ applicationId }) => applicationId || '–' },
      { title: 'Records', kind: 'number', cell: (each) => groupDigits(each.records) },
      { title: 'Octets', kind: 'number', cell: ({ allOctets }) => roundedOctets(allOctets) },
      {
        title: `Share of ${shareOf}`,
        kind: 'number',
        cell: (each) => (shareOf === 'octets' ? meter(each.allOctets, octets) : meter(each.records, records)),
      },
    ],
    ['Sum', '', '', groupDigits(records), roundedOctets(octets), ''],
  );
}

function ofOutcome(outcomes: readonly OutcomeRow[], outcome: (typeof REASONS)[number]['outcome']): OutcomeRow[] {
  return outcomes.filter(({ reason }) => REASON.get(reason)?.outcome === outcome);
}

/** Sums outcomes by reason alone, the most octets first. */
function summed(outcomes: readonly OutcomeRow[]): { reason: string; allOctets: bigint }[] {
  const sums = new Map<string, bigint>();
  for (const { reason, allOctets } of outcomes) sums.set(reason, (sums.get(reason) ?? 0n) + allOctets);
  return [...sums]
    .map(([reason, allOctets]) => ({ reason, allOctets }))
    .sort((a, b) => Number(b.allOctets - a.allOctets));
}

function sumOfOctets(outcomes: readonly OutcomeRow[]): bigint {
  return sumOf(outcomes, ({ allOctets }) => allOctets);
}
