import type { Catalogue, MonthlyTerms } from '../../rating/catalogue.ts';
import { monthName } from '../month.ts';
import { exactUnits, groupDigits, roundedOctets } from '../shown-money.ts';
import { type HtmlText, html } from '../statements/html-text.ts';
import { barChart } from '../statements/statement-charts.ts';
import { zonesInWords } from '../statements/statement-figures.ts';
import { dayFigures, figure, moneyChart } from '../statements/usage-charts.ts';
import type { Account, Line, NamedUsageRow, PageData } from './page-data.ts';
import { monthLinks, nothing, page, roundedMoney, section, table } from './page-parts.ts';
import { accountSections } from './sponsor-account.ts';

/** Returns one sponsor's account and a month of its usage; null when the store has no such sponsor. */
export async function sponsorPage(
  data: PageData,
  sponsorId: string,
  asked: string | null,
  nowMs: number,
): Promise<string | null> {
  const account = (await data.accounts()).find((each) => each.sponsorId === sponsorId);
  if (account === undefined) return null;
  const catalogue = await data.catalogue();
  const name = catalogue?.sponsors.find(({ id }) => id === sponsorId)?.name ?? sponsorId;
  const byMonth = (await data.usageBy('month', sponsorId, null)).map((usage) => ({
    ...usage,
    name: usage.name.slice(0, 7),
  }));
  const months = byMonth.map(({ name }) => name).reverse();
  const month = asked !== null && months.includes(asked) ? asked : (months[0] ?? null);
  return page(
    { title: name, kicker: `Sponsor ${sponsorId}` },
    html`${await accountSections(data, account, catalogue, months[0] ?? null, nowMs)}
${section('Months', await monthsSection(data, byMonth, account))}
${month === null ? '' : await monthSection(data, account, months, month)}
${termsSection(sponsorId, account.currency, catalogue)}
${section('Entries', await entriesSection(data, account), 'Payments and all else that is no charge. Credits are positive.')}`,
  );
}

/** Returns the sponsor's monthly terms, as the catalogue of the newest batch has them; nothing where it has none. */
function termsSection(sponsorId: string, currency: string, catalogue: Catalogue | null): HtmlText | '' {
  const own = (catalogue?.monthlyTerms ?? []).filter((terms) => terms.sponsorId === sponsorId);
  if (own.length === 0) return '';
  const months = table(`Monthly terms, in ${currency}`, own, [
    { title: 'Terms', kind: 'head', cell: ({ id, version }) => html`${id} <span class="soft">v${version}</span>` },
    { title: 'Of', cell: ({ applicationId }) => applicationId ?? 'all applications' },
    {
      title: 'Months',
      cell: ({ fromMonth, toMonth }) => `from ${fromMonth}${toMonth === null ? '' : `, before ${toMonth}`}`,
    },
    { title: 'Flat fee', kind: 'number', cell: ({ flatFeeMicros }) => roundedMoney(BigInt(flatFeeMicros), currency) },
    {
      title: 'Minimum commitment',
      kind: 'number',
      cell: ({ minimumCommitmentMicros: micros }) =>
        micros === null ? 'none' : roundedMoney(BigInt(micros), currency),
    },
    { title: 'Volume rebate', cell: rebateText },
  ]);
  return section('Fees, commitments and rebates', months, 'Posted when a month is closed.');
}

/** Returns `5 % from 1.00 TiB on, of all charges`. */
function rebateText({ volumeRebate }: MonthlyTerms): string {
  if (volumeRebate === null) return 'none';
  const bands = volumeRebate.bands.map(
    ({ fromOctets, basisPoints }) => `${basisPoints / 100} % from ${roundedOctets(BigInt(fromOctets))} on`,
  );
  return `${bands.join(', ')}, of ${volumeRebate.appliesTo === 'all_charges' ? 'all charges' : 'the charges in the band'}`;
}

async function entriesSection(data: PageData, { sponsorId, currency }: Account): Promise<HtmlText> {
  const entries = await data.entries(sponsorId);
  if (entries.length === 0) return nothing('The account has no entries beside charges.');
  return table(`Account entries, in ${currency}`, entries, [
    { title: 'Entry', kind: 'head', cell: ({ number }) => String(number) },
    { title: 'Effective', cell: ({ day }) => day },
    { title: 'Kind', cell: ({ kind }) => kind },
    { title: 'Why', cell: ({ why }) => why },
    { title: 'Who', cell: ({ who }) => who },
    { title: `Amount, ${currency}`, kind: 'number', cell: ({ amountMicros }) => roundedMoney(amountMicros, currency) },
  ]);
}

async function monthsSection(
  data: PageData,
  byMonth: readonly NamedUsageRow[],
  { sponsorId, currency }: Account,
): Promise<HtmlText> {
  const closings = new Map((await data.closings(sponsorId)).map((closing) => [closing.name, closing]));
  if (byMonth.length === 0) return nothing('Nothing is charged yet.');
  return table(`Months, charges in ${currency}`, byMonth.toReversed(), [
    {
      title: 'Month',
      kind: 'head',
      cell: ({ name }) =>
        html`<a href="/sponsors/${encodeURIComponent(sponsorId)}?month=${name}">${monthName(name)}</a>`,
    },
    {
      title: 'Statement',
      cell: ({ name }) => {
        const closing = closings.get(name);
        return closing === undefined
          ? html`<span class="soft">open</span>`
          : html`<span class="badge good">closed</span> ${closing.day}, ${closing.who}`;
      },
    },
    { title: 'Records', kind: 'number', cell: ({ records }) => groupDigits(records) },
    { title: 'Sponsored', kind: 'number', cell: ({ sponsoredOctets }) => roundedOctets(sponsoredOctets) },
    { title: `Charge, ${currency}`, kind: 'number', cell: ({ chargeMicros }) => roundedMoney(chargeMicros, currency) },
  ]);
}

async function monthSection(
  data: PageData,
  { sponsorId, currency }: Account,
  months: readonly string[],
  month: string,
): Promise<HtmlText> {
  const days = await data.usageByDay(month, sponsorId);
  const zones = zonesInWords(await data.timeZones(month, sponsorId));
  const applications = await data.usageBy('application_id', sponsorId, month);
  const contentTypes = await data.usageBy('content_type', sponsorId, month);
  const command = `zerorate statement --sponsor ${sponsorId} --month ${month}`;
  return section(
    monthName(month),
    html`${monthLinks(months, month, `/sponsors/${encodeURIComponent(sponsorId)}`)}${linesTable(await data.lines(sponsorId, month))}
${dayFigures(days, month, currency, zones)}
<div class="pair">${moneyFigure('application', applications, currency)}${moneyFigure('content type', contentTypes, currency)}</div>
<p class="note">The bill itself, with tiers, adjustments and proofs:</p><pre><code>${command}</code></pre>`,
    'All that the journal has of this month, late records and corrections included.',
  );
}

function moneyFigure(by: string, usage: readonly NamedUsageRow[], currency: string): HtmlText {
  const chart = moneyChart(`money-by-${by.replace(' ', '-')}`, `Charge by ${by}`, usage, currency);
  return figure(`Charge by ${by}`, html`${currency}`, barChart(chart));
}

function linesTable(lines: readonly Line[]): HtmlText {
  return table('Charges by application and plan', lines, [
    { title: 'Application', kind: 'head', cell: ({ applicationId }) => applicationId },
    { title: 'Plan', cell: ({ planId, planVersion }) => html`${planId} <span class="soft">v${planVersion}</span>` },
    {
      title: 'Kind',
      cell: ({ isCorrection }) => (isCorrection === 1 ? html`<span class="badge bad">correction</span>` : 'charge'),
    },
    { title: 'Records', kind: 'number', cell: ({ records }) => groupDigits(records) },
    { title: 'Sponsored', kind: 'number', cell: ({ sponsoredOctets }) => roundedOctets(sponsoredOctets) },
    { title: 'Subscribers’', kind: 'number', cell: ({ subscriberOctets }) => roundedOctets(subscriberOctets) },
    {
      title: 'Charge',
      kind: 'number',
      cell: ({ chargeMicros, currency }) => html`${groupDigits(exactUnits(chargeMicros))} ${currency}`,
    },
  ]);
}
