import { type HtmlText, html } from './html-text.ts';
import { exactUnits, groupDigits, roundedOctets } from './shown-money.ts';
import { barChart, type Chart, type ChartItem, columnChart } from './statement-charts.ts';
import type { Statement, StatementUsage } from './statement-document.ts';

const DAY_MS = 86_400_000;
const MICROS_PER_UNIT = 1_000_000;
const KIB = 1024;

type Named = StatementUsage & { name: string };

/** The charts of a statement: octets and money by day, by application and by content type. */
export function usageFigures({ byDay, byApplication, byContentType, sponsor }: Statement): HtmlText {
  if (byDay.length === 0) return html`<p class="note">Nothing was used in this month.</p>`;
  const days = everyDay(byDay).map(({ day, ...usage }) => ({ ...usage, name: String(Number(day.slice(8))), day }));
  const named = (items: readonly Named[]) => items.toSorted((a, b) => Number(b.chargeMicros - a.chargeMicros));
  const applications = named(byApplication.map((each) => ({ ...each, name: each.applicationId })));
  const contentTypes = named(byContentType.map((each) => ({ ...each, name: each.contentType })));
  const ofDays = `from ${days[0].day} to ${days[days.length - 1].day}`;
  return html`
${figure('Octets by day', OCTETS_KEY, columnChart(octetsChart('octets-by-day', `Octets by day, ${ofDays}`, days)))}
${figure('Charge by day', html`${sponsor.currency}`, columnChart(moneyChart('money-by-day', `Charge by day, ${ofDays}`, days, sponsor.currency)))}
${dayTable(byDay, sponsor.currency)}
${pair('application', applications, sponsor.currency)}
${pair('content type', contentTypes, sponsor.currency)}`;
}

const OCTETS_KEY = html`<span><span class="key sponsored"></span>sponsored<span class="key subscriber"></span>subscribers’</span>`;

function pair(dimension: string, items: readonly Named[], currency: string): HtmlText {
  const id = dimension.replace(' ', '-');
  const octets = barChart(octetsChart(`octets-by-${id}`, `Octets by ${dimension}`, items));
  const money = barChart(moneyChart(`money-by-${id}`, `Charge by ${dimension}`, items, currency));
  return html`<div class="pair">${figure(`Octets by ${dimension}`, OCTETS_KEY, octets)}${figure(`Charge by ${dimension}`, html`${currency}`, money)}</div>`;
}

function figure(title: string, key: HtmlText, chart: HtmlText): HtmlText {
  return html`<figure><figcaption><b>${title}</b>${key}</figcaption>${chart}</figure>`;
}

function octetsChart(id: string, title: string, items: readonly (Named & { day?: string })[]): Chart {
  const charted = items.map(({ name, day, sponsoredOctets, subscriberOctets }): ChartItem => {
    const shown = roundedOctets(sponsoredOctets + subscriberOctets);
    return {
      name,
      shown: day === undefined ? shown : `${day}: ${shown}, of which sponsored ${roundedOctets(sponsoredOctets)}`,
      parts: [Number(sponsoredOctets), Number(subscriberOctets)],
    };
  });
  const highest = Math.max(...charted.map(({ parts }) => parts[0] + parts[1]));
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

function moneyChart(id: string, title: string, items: readonly (Named & { day?: string })[], currency: string): Chart {
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

/** A few values are said each; of many the table below has them. */
function summaryOf(items: readonly ChartItem[]): string {
  if (items.length > 12) return 'The table after the charts has every value.';
  return items.map(({ name, shown }) => `${name}: ${shown}`).join('; ');
}

/** Days without usage have their place, too. */
function everyDay(byDay: Statement['byDay']): Statement['byDay'] {
  const known = new Map(byDay.map((usage) => [usage.day, usage]));
  const [first, last] = [byDay[0], byDay[byDay.length - 1]].map(({ day }) => Date.parse(day) / DAY_MS);
  return Array.from({ length: last - first + 1 }, (_, at) => {
    const day = new Date((first + at) * DAY_MS).toISOString().slice(0, 10);
    return known.get(day) ?? { day, sponsoredOctets: 0n, subscriberOctets: 0n, chargeMicros: 0n };
  });
}

function dayTable(byDay: Statement['byDay'], currency: string): HtmlText {
  const rows = byDay.map(
    ({ day, sponsoredOctets, subscriberOctets, chargeMicros }) =>
      html`<tr><th scope="row">${day}</th><td class="n">${groupDigits(sponsoredOctets)}</td><td class="n">${groupDigits(subscriberOctets)}</td><td class="n">${groupDigits(exactUnits(chargeMicros))}</td></tr>`,
  );
  return html`<details><summary>Every day as a table</summary><table><thead><tr><th scope="col">Day (UTC)</th><th scope="col" class="n">Sponsored octets</th><th scope="col" class="n">Subscribers’ octets</th><th scope="col" class="n">Charge, ${currency}</th></tr></thead><tbody>${rows}</tbody></table></details>`;
}
