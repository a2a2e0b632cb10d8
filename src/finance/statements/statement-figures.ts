import { type HtmlText, html } from './html-text.ts';
import { barChart } from './statement-charts.ts';
import type { PlanTimeZone, Statement } from './statement-document.ts';
import { dayFigures, figure, moneyChart, type NamedUsage, OCTETS_KEY, octetsChart } from './usage-charts.ts';

/** Returns the charts of a statement: octets and money by day of use, by application and by content type. */
export function usageFigures(statement: Statement): HtmlText {
  const { byDay, byApplication, byContentType, sponsor, month, timeZones } = statement;
  if (byDay.length === 0) return html`<p class="note">Nothing was used in this month.</p>`;
  const named = (items: readonly NamedUsage[]) => items.toSorted((a, b) => Number(b.chargeMicros - a.chargeMicros));
  const applications = named(byApplication.map((each) => ({ ...each, name: each.applicationId })));
  const contentTypes = named(byContentType.map((each) => ({ ...each, name: each.contentType })));
  return html`${dayFigures(byDay, month, sponsor.currency, zonesInWords(timeZones))}
${pair('application', applications, sponsor.currency)}
${pair('content type', contentTypes, sponsor.currency)}`;
}

function pair(dimension: string, items: readonly NamedUsage[], currency: string): HtmlText {
  const id = dimension.replace(' ', '-');
  const octets = barChart(octetsChart(`octets-by-${id}`, `Octets by ${dimension}`, items));
  const money = barChart(moneyChart(`money-by-${id}`, `Charge by ${dimension}`, items, currency));
  return html`<div class="pair">${figure(`Octets by ${dimension}`, OCTETS_KEY, octets)}${figure(`Charge by ${dimension}`, html`${currency}`, money)}</div>`;
}

/** Returns the time zones of the days, as a sentence. */
export function zonesInWords(zones: readonly PlanTimeZone[]): string {
  const plansOf = new Map<string, Set<string>>();
  for (const { planId, timeZone } of zones) {
    plansOf.set(timeZone, (plansOf.get(timeZone) ?? new Set()).add(planId));
  }
  if (plansOf.size === 0) return 'Days are in UTC.';
  const [only] = plansOf.keys();
  if (plansOf.size === 1) return `Days are in the time zone of the plan, ${only}.`;
  const each = [...plansOf].map(([zone, plans]) => `${zone} (${[...plans].join(', ')})`);
  return `Days are in the time zone of each plan: ${each.join('; ')}.`;
}
