import { type HtmlText, html } from '../finance/html-text.ts';
import { monthName } from '../finance/month.ts';
import { exactUnits, groupDigits, roundedOctets } from '../finance/shown-money.ts';
import { barChart, type Chart, columnChart } from '../finance/statement-charts.ts';
import type { Account, Line, NamedUsage, PageData } from './page-data.ts';
import { money, monthLinks, nothing, page, section, table } from './page-parts.ts';

const MIB = 2 ** 20;

/** One sponsor's account and a month of its usage; null when the store knows no such sponsor. */
export async function sponsorPage(data: PageData, sponsorId: string, asked: string | null): Promise<string | null> {
  const account = (await data.accounts()).find((each) => each.sponsorId === sponsorId);
  if (account === undefined) return null;
  const name = (await data.catalogue())?.sponsors.find(({ id }) => id === sponsorId)?.name ?? sponsorId;
  const byMonth = (await data.usageBy('month', sponsorId, null)).map((usage) => ({
    ...usage,
    name: usage.name.slice(0, 7),
  }));
  const months = byMonth.map(({ name }) => name).reverse();
  const month = asked !== null && months.includes(asked) ? asked : (months[0] ?? null);
  return page(
    name,
    html`<header><p class="kicker"><a href="/">Sponsored data</a></p><h1>${name}</h1></header>
${section('Account', await accountSection(data, account))}
${section('Months', await monthsSection(data, byMonth, account))}
${month === null ? '' : await monthSection(data, sponsorId, months, month)}`,
  );
}

async function accountSection(data: PageData, account: Account): Promise<HtmlText> {
  const { sponsorId, currency, creditedMicros, chargedMicros, balanceMicros, isSuspended } = account;
  const entries = await data.entries(sponsorId);
  const badge =
    isSuspended === 1
      ? html`<span class="badge bad">suspended</span>`
      : html`<span class="badge good">sponsoring</span>`;
  const card = (name: HtmlText | string, micros: bigint) =>
    html`<li class="card"><span class="name">${name}</span><p class="amount${micros < 0n ? ' owed' : ''}">${money(micros, currency)}<small>${currency}</small></p></li>`;
  const cards = html`<ul class="cards">${card('Credited', creditedMicros)}${card('Charged', chargedMicros)}${card(html`Balance${badge}`, balanceMicros)}</ul>`;
  if (entries.length === 0) return html`${cards}${nothing('No entries beside charges.')}`;
  return html`${cards}<br>${table(entries, [
    { title: 'Entry', kind: 'head', cell: ({ number }) => String(number) },
    { title: 'Effective', cell: ({ day }) => day },
    { title: 'Kind', cell: ({ kind }) => kind },
    { title: 'Why', cell: ({ why }) => why },
    { title: 'Who', cell: ({ who }) => who },
    { title: `Amount, ${currency}`, kind: 'number', cell: ({ amountMicros }) => money(amountMicros, currency) },
  ])}`;
}

async function monthsSection(
  data: PageData,
  byMonth: readonly NamedUsage[],
  { sponsorId, currency }: Account,
): Promise<HtmlText> {
  const closings = new Map((await data.closings(sponsorId)).map((closing) => [closing.name, closing]));
  if (byMonth.length === 0) return nothing('Nothing was charged yet.');
  return table(byMonth.toReversed(), [
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
    { title: `Charge, ${currency}`, kind: 'number', cell: ({ chargeMicros }) => money(chargeMicros, currency) },
  ]);
}

async function monthSection(
  data: PageData,
  sponsorId: string,
  months: readonly string[],
  month: string,
): Promise<HtmlText> {
  const days = await data.usageBy('booking_date', sponsorId, month);
  const applications = await data.usageBy('application_id', sponsorId, month);
  const contentTypes = await data.usageBy('content_type', sponsorId, month);
  const { currency } = days[0] ?? { currency: '' };
  const command = `zerorate statement --sponsor ${sponsorId} --month ${month}`;
  return section(
    monthName(month),
    html`${monthLinks(months, month, `/sponsors/${encodeURIComponent(sponsorId)}`)}${linesTable(await data.lines(sponsorId, month))}
${figure('Charge by booking day', html`${currency}`, columnChart(moneyChart('day', days, month)))}
${figure('Octets by booking day', OCTETS_KEY, columnChart(octetsChart('day', days, month)))}
<div class="pair">${figure('Charge by application', html`${currency}`, barChart(moneyChart('application', applications, month)))}${figure('Charge by content', html`${currency}`, barChart(moneyChart('content', contentTypes, month)))}</div>
<p class="note"><br>The bill itself, with tiers, adjustments and proofs:</p><pre><code>${command}</code></pre>`,
    'What stands in the journal for this month now, late records and corrections included. A day on which more was taken back than charged has no column.',
  );
}

function linesTable(lines: readonly Line[]): HtmlText {
  return table(lines, [
    { title: 'Application', kind: 'head', cell: ({ applicationId }) => applicationId },
    { title: 'Plan', cell: ({ planId, planVersion }) => html`${planId} <span class="soft">v${planVersion}</span>` },
    {
      title: '',
      cell: ({ isCorrection }) => (isCorrection === 1 ? html`<span class="badge bad">correction</span>` : ''),
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

const OCTETS_KEY = html`<span><span class="key sponsored"></span>sponsored<span class="key subscriber"></span>subscribers’</span>`;

function figure(title: string, key: HtmlText, chart: HtmlText): HtmlText {
  return html`<figure><figcaption><b>${title}</b>${key}</figcaption>${chart}</figure>`;
}

function moneyChart(by: string, usage: readonly NamedUsage[], month: string): Chart {
  const { currency } = usage[0] ?? { currency: '' };
  const items = usage.map(({ name, chargeMicros }) => ({
    name: labelOf(by, name, month),
    shown:
      by === 'day'
        ? `${name}: ${groupDigits(exactUnits(chargeMicros))} ${currency}`
        : groupDigits(exactUnits(chargeMicros)),
    parts: [Math.max(0, Number(chargeMicros) / 1e6)],
  }));
  const axis = (value: number) => groupDigits(Number(value.toPrecision(6)));
  return {
    id: `money-by-${by}`,
    title: `Charge by ${by}`,
    summary: summaryOf(items),
    items,
    parts: ['money'],
    axis,
    unit: 1,
  };
}

function octetsChart(by: string, usage: readonly NamedUsage[], month: string): Chart {
  const items = usage.map(({ name, sponsoredOctets, subscriberOctets }) => ({
    name: labelOf(by, name, month),
    shown: `${name}: ${roundedOctets(sponsoredOctets + subscriberOctets)}, of which sponsored ${roundedOctets(sponsoredOctets)}`,
    parts: [Number(sponsoredOctets), Number(subscriberOctets)],
  }));
  const axis = (value: number) => roundedOctets(BigInt(Math.round(value)));
  return {
    id: `octets-by-${by}`,
    title: `Octets by ${by}`,
    summary: summaryOf(items),
    items,
    parts: ['sponsored', 'subscriber'],
    axis,
    unit: MIB,
  };
}

/** At the axis a day of the month stands as its number; what was booked later has its month, too. */
function labelOf(by: string, name: string, month: string): string {
  if (by !== 'day') return name;
  const [, monthNumber, day] = name.split('-').map(Number);
  return name.startsWith(month) ? String(day) : `${day}/${monthNumber}`;
}

function summaryOf(items: readonly { name: string; shown: string }[]): string {
  return items.length > 12 ? `${items.length} values` : items.map(({ name, shown }) => `${name}: ${shown}`).join('; ');
}
