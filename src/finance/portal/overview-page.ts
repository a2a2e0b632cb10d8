import { DateTime } from 'luxon';
import { minorDigitsOf } from '../../rating/catalogue/currencies.ts';
import type { Catalogue, Plan } from '../../rating/catalogue.ts';
import { CONTENT_TYPES } from '../../rating/flow-record.ts';
import { formatMicros } from '../../rating/money.ts';
import { monthBefore, monthName } from '../month.ts';
import { groupDigits, roundedOctets, roundedUnits } from '../shown-money.ts';
import { type HtmlText, html } from '../statements/html-text.ts';
import { sumOf } from '../statements/statement-arithmetic.ts';
import { columnChart } from '../statements/statement-charts.ts';
import { figure, OCTETS_KEY, octetsChart } from '../statements/usage-charts.ts';
import type { Account, NamedUsageRow, PageData, QuotaUse } from './page-data.ts';
import { change, meter, monthLinks, nothing, page, roundedMoney, section, table } from './page-parts.ts';

/** The months that a trend shows. */
const TREND_MONTHS = 12;

/** Returns the overview: the sponsors' accounts, the months, a month's usage and quotas, the plans in force. */
export async function overviewPage(data: PageData, asked: string | null): Promise<string> {
  const [catalogue, accounts, months] = [await data.catalogue(), await data.accounts(), await data.months()];
  const month = asked !== null && months.includes(asked) ? asked : (months[0] ?? null);
  return page(
    { title: 'Accounts, plans and quotas', path: '/' },
    html`${section('Accounts', accountCards(accounts, catalogue), 'What was credited less what was charged, in each sponsor’s currency.')}
${month === null ? section('Usage', nothing('No usage is booked yet.')) : html`${trendSection(await data.usageByMonth())}${await monthSection(data, catalogue, months, month)}`}
${catalogue === null ? '' : section('Plans', plansTable(catalogue), 'As the catalogue of the newest batch has them.')}`,
  );
}

/** Returns months side by side: octets of all sponsors, and charges in each currency with their change. */
function trendSection(usage: readonly NamedUsageRow[]): HtmlText {
  const months = [...new Set(usage.map(({ name }) => name))].slice(-TREND_MONTHS);
  const items = months.map((month) => {
    const own = usage.filter(({ name }) => name === month);
    return {
      name: month,
      day: monthName(month),
      sponsoredOctets: sumOf(own, ({ sponsoredOctets }) => sponsoredOctets),
      subscriberOctets: sumOf(own, ({ subscriberOctets }) => subscriberOctets),
      chargeMicros: 0n,
    };
  });
  const before = new Map(usage.map((each) => [`${each.currency} ${each.name}`, each.chargeMicros]));
  const rows = usage.filter(({ name }) => months.includes(name)).toReversed();
  return section(
    'Months',
    html`${figure('Octets by month', OCTETS_KEY, columnChart(octetsChart('octets-by-month', 'Octets by month', items)))}
${table('Months, month against month', rows, [
  { title: 'Month', kind: 'head', cell: ({ name }) => monthName(name) },
  { title: 'Records', kind: 'number', cell: ({ records }) => groupDigits(records) },
  { title: 'Sponsored', kind: 'number', cell: ({ sponsoredOctets }) => roundedOctets(sponsoredOctets) },
  { title: 'Subscribers’', kind: 'number', cell: ({ subscriberOctets }) => roundedOctets(subscriberOctets) },
  { title: 'Charge', kind: 'number', cell: ({ chargeMicros, currency }) => roundedMoney(chargeMicros, currency) },
  { title: 'Currency', cell: ({ currency }) => currency },
  {
    title: 'Against the month before',
    kind: 'number',
    cell: ({ chargeMicros, currency, name }) =>
      change(chargeMicros, before.get(`${currency} ${monthBefore(name)}`) ?? 0n),
  },
])}`,
    'A month is open until all of its periods are over: the newest may still grow.',
  );
}

function accountCards(accounts: readonly Account[], catalogue: Catalogue | null): HtmlText {
  const cards = accounts.map(({ sponsorId, currency, balanceMicros, isSuspended }) => {
    const name = catalogue?.sponsors.find(({ id }) => id === sponsorId)?.name ?? sponsorId;
    const owed = balanceMicros < 0n;
    const amount = roundedUnits(owed ? -balanceMicros : balanceMicros, minorDigitsOf(currency));
    const badge =
      isSuspended === 1
        ? html`<span class="badge bad">suspended</span>`
        : html`<span class="badge good">sponsoring</span>`;
    return html`<li><a class="card" href="/sponsors/${encodeURIComponent(sponsorId)}"><span class="name">${name}${badge}</span>
<p class="amount${owed ? ' owed' : ''}">${groupDigits(amount)}<small>${currency}</small></p><span class="soft">${owed ? 'owed' : 'in credit'}</span></a></li>`;
  });
  return cards.length === 0 ? nothing('No sponsor is charged or credited yet.') : html`<ul class="cards">${cards}</ul>`;
}

async function monthSection(
  data: PageData,
  catalogue: Catalogue | null,
  months: readonly string[],
  month: string,
): Promise<HtmlText> {
  const usage = await data.usageBySponsor(month);
  const usageTable = table(`Usage of ${monthName(month)}, by sponsor`, usage, [
    {
      title: 'Sponsor',
      kind: 'head',
      cell: ({ sponsorId }) =>
        html`<a href="/sponsors/${encodeURIComponent(sponsorId)}?month=${month}">${sponsorId}</a>`,
    },
    { title: 'Records', kind: 'number', cell: ({ records }) => groupDigits(records) },
    { title: 'Sponsored', kind: 'number', cell: ({ sponsoredOctets }) => roundedOctets(sponsoredOctets) },
    { title: 'Subscribers’', kind: 'number', cell: ({ subscriberOctets }) => roundedOctets(subscriberOctets) },
    { title: 'Charge', kind: 'number', cell: ({ chargeMicros, currency }) => roundedMoney(chargeMicros, currency) },
    { title: 'Currency', cell: ({ currency }) => currency },
  ]);
  const quotas = quotasTable(await data.quotas(month), catalogue);
  return html`${section(`Usage of ${monthName(month)}`, html`${monthLinks(months, month, '/')}${usageTable}`)}
${section('Quotas', quotas, `How often a subscriber used one up in a period of ${monthName(month)}, and what came after it, which the subscriber paid for.`)}`;
}

function quotasTable(quotas: readonly QuotaUse[], catalogue: Catalogue | null): HtmlText {
  const newest = new Map(catalogue?.plans.map((plan) => [plan.id, plan]));
  const limited = quotas.filter(({ planId }) => (newest.get(planId)?.quotaOctets ?? 0) !== Number.POSITIVE_INFINITY);
  if (limited.length === 0) return nothing('No plan with a quota was used.');
  return table('Quotas, by plan', limited, [
    { title: 'Plan', kind: 'head', cell: ({ planId }) => planId },
    { title: 'Quota', cell: ({ planId }) => quotaOf(newest.get(planId)) },
    { title: 'Used up', kind: 'number', cell: ({ usedUp }) => groupDigits(usedUp) },
    { title: 'Octets after it', kind: 'number', cell: ({ octetsAfter }) => roundedOctets(octetsAfter) },
    {
      title: 'Sponsored share of octets',
      kind: 'number',
      cell: ({ sponsoredOctets, subscriberOctets }) => meter(sponsoredOctets, sponsoredOctets + subscriberOctets),
    },
  ]);
}

function quotaOf(plan: Plan | undefined): string {
  if (plan === undefined) return 'not in the catalogue any more';
  const { quotaOctets, period } = plan;
  return quotaOctets === Number.POSITIVE_INFINITY ? 'none' : `${roundedOctets(BigInt(quotaOctets))} a ${period}`;
}

function plansTable({ plans, applications, sponsors }: Catalogue): HtmlText {
  return table('Plans, with quotas and prices', plans, [
    { title: 'Plan', kind: 'head', cell: ({ id, version }) => html`${id} <span class="soft">v${version}</span>` },
    {
      title: 'Application',
      cell: ({ application }) =>
        html`${applications[application].id}<br><span class="soft">${sponsors[applications[application].sponsor].name}</span>`,
    },
    { title: 'In force', cell: inForce },
    { title: 'Shares', cell: ({ shareBasisPoints }) => sharesOf(shareBasisPoints) },
    { title: 'Quota', cell: quotaOf },
    {
      title: 'Price of a MiB',
      kind: 'number',
      cell: (plan) => pricesOf(plan, sponsors[applications[plan.application].sponsor].currency),
    },
  ]);
}

/** Days in the plan's own time zone. */
function inForce({ effectiveFromMs, effectiveToMs, timeZone }: Plan): HtmlText {
  const until = effectiveToMs === Number.POSITIVE_INFINITY ? 'on' : `until ${dayIn(timeZone, effectiveToMs)}`;
  return html`from ${dayIn(timeZone, effectiveFromMs)} ${until}<br><span class="soft">${timeZone}</span>`;
}

function dayIn(timeZone: string, timeMs: number): string {
  return DateTime.fromMillis(timeMs, { zone: timeZone }).toISODate() ?? '';
}

/** Returns `text, image 100 %; other 33.33 %`: content types of one share are listed together. */
function sharesOf(shareBasisPoints: readonly number[]): string {
  const byShare = new Map<number, string[]>();
  shareBasisPoints.forEach((share, at) => {
    if (share >= 0) byShare.set(share, [...(byShare.get(share) ?? []), CONTENT_TYPES[at]]);
  });
  const shares = [...byShare].sort(([left], [right]) => right - left);
  return shares
    .map(([share, types]) => `${types.length === CONTENT_TYPES.length ? 'all' : types.join(', ')} ${share / 100} %`)
    .join('; ');
}

function pricesOf({ tiers }: Plan, currency: string): HtmlText {
  const lines = tiers.map(({ upToOctets, pricePerMiBMicros }, at) => {
    const limit =
      tiers.length === 1 ? '' : at === tiers.length - 1 ? 'then ' : `to ${roundedOctets(BigInt(upToOctets))} `;
    return html`${at === 0 ? '' : html`<br>`}<span class="soft">${limit}</span>${formatMicros(pricePerMiBMicros, currency)}`;
  });
  return html`${lines}`;
}
