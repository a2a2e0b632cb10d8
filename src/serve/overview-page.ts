import { DateTime } from 'luxon';
import type { Catalogue, Plan } from '../billing/catalogue.ts';
import { minorDigitsOf } from '../billing/currencies.ts';
import { CONTENT_TYPES } from '../billing/flow-record.ts';
import { formatMicros } from '../billing/money.ts';
import { type HtmlText, html } from '../finance/html-text.ts';
import { monthName } from '../finance/month.ts';
import { groupDigits, roundedOctets, roundedUnits } from '../finance/shown-money.ts';
import type { Account, PageData, QuotaUse } from './page-data.ts';
import { money, monthLinks, nothing, page, section, table } from './page-parts.ts';

/** What there is: the sponsors' accounts, a month's usage and quotas, the plans in force. */
export async function overviewPage(data: PageData, asked: string | null): Promise<string> {
  const [catalogue, accounts, months] = [await data.catalogue(), await data.accounts(), await data.months()];
  const month = asked !== null && months.includes(asked) ? asked : (months[0] ?? null);
  return page(
    'Overview',
    html`<header><p class="kicker">Sponsored data</p><h1>Accounts, plans and quotas</h1></header>
${section('Accounts', accountCards(accounts, catalogue), 'What was credited less what was charged, in each sponsor’s currency.')}
${month === null ? section('Usage', nothing('Nothing was booked yet.')) : await monthSection(data, catalogue, months, month)}
${catalogue === null ? '' : section('Plans', plansTable(catalogue), 'As the catalogue of the newest batch has them.')}`,
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
  return cards.length === 0
    ? nothing('No sponsor was charged or credited yet.')
    : html`<ul class="cards">${cards}</ul>`;
}

async function monthSection(
  data: PageData,
  catalogue: Catalogue | null,
  months: readonly string[],
  month: string,
): Promise<HtmlText> {
  const usage = await data.usageBySponsor(month);
  const usageTable = table(usage, [
    {
      title: 'Sponsor',
      kind: 'head',
      cell: ({ sponsorId }) =>
        html`<a href="/sponsors/${encodeURIComponent(sponsorId)}?month=${month}">${sponsorId}</a>`,
    },
    { title: 'Records', kind: 'number', cell: ({ records }) => groupDigits(records) },
    { title: 'Sponsored', kind: 'number', cell: ({ sponsoredOctets }) => roundedOctets(sponsoredOctets) },
    { title: 'Subscribers’', kind: 'number', cell: ({ subscriberOctets }) => roundedOctets(subscriberOctets) },
    { title: 'Charge', kind: 'number', cell: ({ chargeMicros, currency }) => money(chargeMicros, currency) },
    { title: '', cell: ({ currency }) => currency },
  ]);
  const quotas = quotasTable(await data.quotas(month), catalogue);
  return html`${section(`Usage of ${monthName(month)}`, html`${monthLinks(months, month, '/')}${usageTable}`)}
${section('Quotas', quotas, `How often a subscriber used one up in a period of ${monthName(month)}, and what came after it, which the subscriber paid for.`)}`;
}

function quotasTable(quotas: readonly QuotaUse[], catalogue: Catalogue | null): HtmlText {
  const newest = new Map(catalogue?.plans.map((plan) => [plan.id, plan]));
  const limited = quotas.filter(({ planId }) => (newest.get(planId)?.quotaOctets ?? 0) !== Number.POSITIVE_INFINITY);
  if (limited.length === 0) return nothing('No plan with a quota was used.');
  return table(limited, [
    { title: 'Plan', kind: 'head', cell: ({ planId }) => planId },
    { title: 'Quota', cell: ({ planId }) => quotaOf(newest.get(planId)) },
    { title: 'Used up', kind: 'number', cell: ({ usedUp }) => groupDigits(usedUp) },
    { title: 'Octets after it', kind: 'number', cell: ({ octetsAfter }) => roundedOctets(octetsAfter) },
    { title: 'Sponsored share of octets', kind: 'number', cell: shareMeter },
  ]);
}

function shareMeter({ sponsoredOctets, subscriberOctets }: QuotaUse): HtmlText {
  const all = sponsoredOctets + subscriberOctets;
  const percent = all === 0n ? 0 : Number((sponsoredOctets * 1000n) / all) / 10;
  return html`${percent.toFixed(1)} %<span class="meter"><i style="width:${percent}%"></i></span>`;
}

function quotaOf(plan: Plan | undefined): string {
  if (plan === undefined) return 'not in the catalogue any more';
  const { quotaOctets, period } = plan;
  return quotaOctets === Number.POSITIVE_INFINITY ? 'none' : `${roundedOctets(BigInt(quotaOctets))} a ${period}`;
}

function plansTable({ plans, applications, sponsors }: Catalogue): HtmlText {
  return table(plans, [
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

/** `text, image 100 %; other 33.33 %`: content types of one share stand together. */
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
