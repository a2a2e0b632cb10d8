import { monthName } from '../month.ts';
import { groupDigits, roundedOctets, shownCount } from '../shown-money.ts';
import { dayAxis, daysOf } from '../statements/day-axis.ts';
import { type HtmlText, html } from '../statements/html-text.ts';
import { columnChart } from '../statements/statement-charts.ts';
import { zonesInWords } from '../statements/statement-figures.ts';
import { figure, OCTETS_KEY, octetsChart } from '../statements/usage-charts.ts';
import type { DayUsageRow, PageData } from './page-data.ts';
import { monthLinks, nothing, page, roundedMoney, section, table } from './page-parts.ts';

/** Returns the page of a month's usage and charges by day of use, of all sponsors, beside the days of booking. */
export async function daysPage(data: PageData, asked: string | null): Promise<string> {
  const head = { title: 'Usage by day', path: '/days' };
  const months = await data.months();
  const month = asked !== null && months.includes(asked) ? asked : months[0];
  if (month === undefined) return page(head, nothing('No usage is booked yet.'));
  const byDay = await data.usageByDay(month, null);
  const booked = await data.usageByBookingDay(month, null);
  const inner = html`${monthLinks(months, month, '/days')}
${section(`Days of use of ${monthName(month)}`, usedSection(byDay, month), zonesInWords(await data.timeZones(month, null)))}
${section('Days of booking', bookedSection(booked), `When the records of ${monthName(month)} were booked: a bulk load is one day here.`)}`;
  return page(head, inner);
}

function usedSection(byDay: readonly DayUsageRow[], month: string): HtmlText {
  const { others } = dayAxis(byDay, month);
  const sums = new Map(octetsByDay(byDay).map((usage) => [usage.day, usage]));
  const items = daysOf(month).map((day) => ({
    ...(sums.get(day) ?? NO_OCTETS),
    name: String(Number(day.slice(8))),
    day,
  }));
  const otherDays = new Set(others.map(({ day }) => day)).size;
  const said =
    otherDays === 0
      ? ''
      : html`<p class="note">Not on the axis: ${shownCount(otherDays, 'day')} of other months, in statistics periods that begin in this one; the table has ${otherDays === 1 ? 'it' : 'them'}.</p>`;
  return html`${figure('Octets by day of use', OCTETS_KEY, columnChart(octetsChart('octets-by-day', 'Octets by day of use', items)))}${said}
${usageTable('Usage and charge by day of use', 'Day of use', byDay)}`;
}

function bookedSection(booked: readonly DayUsageRow[]): HtmlText {
  return usageTable('Usage and charge by day of booking', 'Day of booking', booked);
}

function usageTable(caption: string, dayTitle: string, rows: readonly DayUsageRow[]): HtmlText {
  return table(caption, rows, [
    { title: dayTitle, kind: 'head', cell: ({ day }) => day },
    { title: 'Records', kind: 'number', cell: ({ records }) => groupDigits(records) },
    { title: 'Sponsored', kind: 'number', cell: ({ sponsoredOctets }) => roundedOctets(sponsoredOctets) },
    { title: 'Subscribers’', kind: 'number', cell: ({ subscriberOctets }) => roundedOctets(subscriberOctets) },
    { title: 'Charge', kind: 'number', cell: ({ chargeMicros, currency }) => roundedMoney(chargeMicros, currency) },
    { title: 'Currency', cell: ({ currency }) => currency },
  ]);
}

const NO_OCTETS = { sponsoredOctets: 0n, subscriberOctets: 0n, chargeMicros: 0n };

/** Returns octets of all currencies together: their charges have no sum. */
function octetsByDay(byDay: readonly DayUsageRow[]): (typeof NO_OCTETS & { day: string })[] {
  const sums = new Map<string, typeof NO_OCTETS & { day: string }>();
  for (const { day, sponsoredOctets, subscriberOctets } of byDay) {
    const sum = sums.get(day) ?? { ...NO_OCTETS, day };
    sum.sponsoredOctets += sponsoredOctets;
    sum.subscriberOctets += subscriberOctets;
    sums.set(day, sum);
  }
  return [...sums.values()];
}
