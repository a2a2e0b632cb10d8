import type { Month } from '../month.ts';
import { exactUnits, groupDigits, roundedOctets, shownCount } from '../shown-money.ts';
import { dayAxis } from './day-axis.ts';
import { type HtmlText, html } from './html-text.ts';
import { sumOf } from './statement-arithmetic.ts';
import { type Chart, type ChartItem, columnChart } from './statement-charts.ts';
import type { StatementUsage } from './statement-document.ts';

const MICROS_PER_UNIT = 1_000_000;
const KIB = 1024;
const MAX_NAMED_ITEMS = 12;

export type DayUsage = StatementUsage & { day: string };
export type NamedUsage = StatementUsage & { name: string };

export const OCTETS_KEY = html`<span><span class="key sponsored"></span>sponsored<span class="key subscriber"></span>subscribers’</span>`;

export function figure(title: string, key: HtmlText, chart: HtmlText): HtmlText {
  return html`<figure><figcaption><b>${title}</b>${key}</figcaption>${chart}</figure>`;
}

/** Returns octets and charges on the days of a month, days of other months in words, and every day as a table. */
export function dayFigures(byDay: readonly DayUsage[], month: Month, currency: string, zone: string): HtmlText {
  const { days, others } = dayAxis(byDay, month);
  const items = days.map(({ day, usage }) => ({ ...(usage ?? NOTHING), name: String(Number(day.slice(8))), day }));
  return html`
${figure('Octets by day of use', OCTETS_KEY, columnChart(octetsChart('octets-by-day', 'Octets by day of use', items)))}
${figure('Charge by day of use', html`${currency}`, columnChart(moneyChart('money-by-day', 'Charge by day of use', items, currency)))}
<p class="note">${zone}</p>${otherDays(others, currency)}${negativeDays(byDay, currency)}
${dayTable(byDay, currency)}`;
}

const NOTHING: StatementUsage = { sponsoredOctets: 0n, subscriberOctets: 0n, chargeMicros: 0n };

/** Returns the bill's days of other months in words: they are not on the axis. */
function otherDays(others: readonly DayUsage[], currency: string): HtmlText | string {
  if (others.length === 0) return '';
  const days = others.map(({ day }) => day).sort();
  const which = days.length === 1 ? days[0] : `${days[0]} to ${days[days.length - 1]}`;
  const sponsored = sumOf(others, ({ sponsoredOctets }) => sponsoredOctets);
  const subscribers = sumOf(others, ({ subscriberOctets }) => subscriberOctets);
  const micros = sumOf(others, ({ chargeMicros }) => chargeMicros);
  return html`<p class="note"><b>Not on the axis:</b> ${shownCount(others.length, 'day')} of other months (${which}), in statistics periods that begin in this one: ${roundedOctets(sponsored)} sponsored, ${roundedOctets(subscribers)} subscribers’, ${groupDigits(exactUnits(micros))} ${currency}. They are part of this month’s charges.</p>`;
}

/** Returns the days with negative sums in words: a column cannot go below the axis. */
function negativeDays(byDay: readonly DayUsage[], currency: string): HtmlText | string {
  const below = byDay.filter(({ chargeMicros }) => chargeMicros < 0n);
  if (below.length === 0) return '';
  const sum = sumOf(below, ({ chargeMicros }) => chargeMicros);
  return html`<p class="note"><b>Without a column:</b> ${shownCount(below.length, 'day')} on which corrections took back more than was charged, ${groupDigits(exactUnits(sum))} ${currency} together.</p>`;
}

function dayTable(byDay: readonly DayUsage[], currency: string): HtmlText {
  const rows = byDay.map(
    ({ day, sponsoredOctets, subscriberOctets, chargeMicros }) =>
      html`<tr><th scope="row">${day}</th><td class="n">${groupDigits(sponsoredOctets)}</td><td class="n">${groupDigits(subscriberOctets)}</td><td class="n">${groupDigits(exactUnits(chargeMicros))}</td></tr>`,
  );
  return html`<details><summary>Every day as a table</summary><div class="scroll"><table><caption>Usage and charge by day of use</caption><thead><tr><th scope="col">Day of use</th><th scope="col" class="n">Sponsored octets</th><th scope="col" class="n">Subscribers’ octets</th><th scope="col" class="n">Charge, ${currency}</th></tr></thead><tbody>${rows}</tbody></table></div></details>`;
}

export function octetsChart(id: string, title: string, items: readonly (NamedUsage & { day?: string })[]): Chart {
  const charted = items.map(({ name, day, sponsoredOctets, subscriberOctets }): ChartItem => {
    const shown = roundedOctets(sponsoredOctets + subscriberOctets);
    return {
      name,
      shown: day === undefined ? shown : `${day}: ${shown}, of which sponsored ${roundedOctets(sponsoredOctets)}`,
      parts: [Number(sponsoredOctets), Number(subscriberOctets)],
    };
  });
  const highest = Math.max(0, ...charted.map(({ parts }) => parts[0] + parts[1]));
  const unit = KIB ** Math.floor(Math.log(Math.max(1, highest)) / Math.log(KIB));
  const unitName = roundedOctets(BigInt(unit)).split(' ')[1];
  return {
    id,
    title,
    summary: summaryOf(charted),
    items: charted,
    parts: ['sponsored', 'subscriber'],
    axis: (value) => `${groupDigits(Number((value / unit).toPrecision(4)))} ${unitName}`,
    unit,
  };
}

export function moneyChart(
  id: string,
  title: string,
  items: readonly (NamedUsage & { day?: string })[],
  currency: string,
): Chart {
  const charted = items.map(({ name, day, chargeMicros }): ChartItem => {
    const shown = groupDigits(exactUnits(chargeMicros));
    return {
      name,
      shown: day === undefined ? shown : `${day}: ${shown} ${currency}`,
      parts: [Number(chargeMicros) / MICROS_PER_UNIT],
    };
  });
  return {
    id,
    title: `${title}, in ${currency}`,
    summary: summaryOf(charted),
    items: charted,
    parts: ['money'],
    axis: (value) => groupDigits(Number(value.toPrecision(6))),
    unit: 1,
  };
}

/** Returns each value of a few; of many the highest, as the table has them all. */
function summaryOf(items: readonly ChartItem[]): string {
  if (items.length <= MAX_NAMED_ITEMS) return items.map(({ name, shown }) => `${name}: ${shown}`).join('; ');
  const heightOf = ({ parts }: ChartItem) => parts.reduce((sum, part) => sum + Math.max(0, part), 0);
  const used = items.filter((item) => heightOf(item) > 0);
  if (used.length === 0) return 'No usage on any of these days.';
  const highest = used.reduce((a, b) => (heightOf(b) > heightOf(a) ? b : a));
  return `${shownCount(used.length, 'day')} with usage of ${items.length}. The highest is ${highest.shown}. The table after the charts has every day.`;
}
