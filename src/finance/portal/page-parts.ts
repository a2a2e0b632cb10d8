import { PAGE_STYLE } from '../../platform/http/page-style.ts';
import { minorDigitsOf } from '../../rating/catalogue/currencies.ts';
import { monthName } from '../month.ts';
import { exactUnits, groupDigits, roundedUnits } from '../shown-money.ts';
import { changeOf } from '../statements/forecast.ts';
import { HtmlText, html } from '../statements/html-text.ts';

/** Tenths of a percent of a tenfold value: a change of 900.0 %. */
const TEN_TIMES_TENTHS = 9000;

/** The pages that every page links to. */
const PAGES = [
  { path: '/', name: 'Overview' },
  { path: '/days', name: 'Usage by day' },
  { path: '/leakage', name: 'Leakage' },
];

export interface PageHead {
  /** Title of the browser's tab, and heading of the page. */
  title: string;
  kicker?: string;
  /** Path of the page in PAGES; absent: a page that is not linked to. */
  path?: string;
}

/** Returns a whole page without other files. */
export function page({ title, kicker = 'Sponsored data', path }: PageHead, inner: HtmlText): string {
  const links = PAGES.map((each) => {
    const current = each.path === path ? html` aria-current="page"` : '';
    return html`<li><a href="${each.path}"${current}>${each.name}</a></li>`;
  });
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${title} · zerorate</title>
<style>${new HtmlText(PAGE_STYLE)}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header><nav aria-label="Pages"><ul class="pages">${links}</ul></nav></header>
<main id="content" tabindex="-1">
<p class="kicker">${kicker}</p><h1>${title}</h1>
${inner}
</main>
<footer>Read from the store as it is now; nothing here changes it. Money is rounded to its currency’s decimals, a pointer on it shows all six. A statistics period belongs to the month that it begins in. Any ClickHouse client can ask this address over HTTP.</footer>
</body>
</html>
`.toString();
}

export function section(title: string, inner: HtmlText, note = ''): HtmlText {
  const id = title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  return html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${note === '' ? '' : html`<p class="note">${note}</p>`}${inner}</section>`;
}

export function nothing(text: string): HtmlText {
  return html`<p class="note">${text}</p>`;
}

/** A figure, of money or of anything else, with its name above it and a note below. */
export interface Card {
  name: HtmlText | string;
  value: HtmlText | string;
  note?: HtmlText | string;
  isOwed?: boolean;
}

export function cards(list: readonly Card[]): HtmlText {
  const items = list.map(
    ({ name, value, note = '', isOwed = false }) =>
      html`<div class="card"><dt class="name">${name}</dt><dd class="amount${isOwed ? ' owed' : ''}">${value}</dd><dd class="soft">${note}</dd></div>`,
  );
  return html`<dl class="cards">${items}</dl>`;
}

export interface Column<T> {
  title: string;
  /** The row's header, or a right-aligned number. */
  kind?: 'head' | 'number';
  cell: (row: T) => HtmlText | string;
}

/** Returns a table. `caption` describes its content to a reader who has not seen the heading above it. */
export function table<T>(
  caption: string,
  rows: readonly T[],
  columns: readonly Column<T>[],
  sum?: readonly (HtmlText | string)[],
): HtmlText {
  const heads = columns.map(({ title, kind }) => html`<th scope="col"${classOf(kind)}>${title}</th>`);
  const body = rows.map(
    (row) =>
      html`<tr>${columns.map(({ kind, cell }) =>
        kind === 'head' ? html`<th scope="row">${cell(row)}</th>` : html`<td${classOf(kind)}>${cell(row)}</td>`,
      )}</tr>`,
  );
  const foot = sum?.map((cell, at) =>
    at === 0 ? html`<th scope="row">${cell}</th>` : html`<td${classOf(columns[at].kind)}>${cell}</td>`,
  );
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table><caption class="unseen">${caption}</caption><thead><tr>${heads}</tr></thead><tbody>${body}</tbody>${foot === undefined ? '' : html`<tfoot><tr>${foot}</tr></tfoot>`}</table></div>`;
}

/** Returns a bar of a share; `part` and `whole` are 0 or more. */
export function meter(part: bigint, whole: bigint): HtmlText {
  const percent = whole <= 0n ? 0 : Math.min(100, Number((part * 1000n) / whole) / 10);
  return html`${percent.toFixed(1)} %<span class="meter" aria-hidden="true"><i style="width:${percent}%"></i></span>`;
}

function classOf(kind: Column<never>['kind']): HtmlText | string {
  return kind === 'number' ? html` class="n"` : '';
}

/** Returns money rounded to the currency's decimals, half away from zero; all six of them in its title. */
export function roundedMoney(micros: bigint, currency: string): HtmlText {
  const exact = `${groupDigits(exactUnits(micros))} ${currency}`;
  return html`<span title="${exact}">${groupDigits(roundedUnits(micros, minorDigitsOf(currency)))}</span>`;
}

/** Returns an amount with its currency after it. */
export function amount(micros: bigint, currency: string): HtmlText {
  return html`${roundedMoney(micros, currency)}<small>${currency}</small>`;
}

/** Returns the change from `before`: in percent, and as a multiple from ten times on. */
export function change(now: bigint, before: bigint): HtmlText {
  const tenths = changeOf(now, before);
  if (tenths === null) return html`–`;
  const sign = tenths > 0 ? '+' : tenths < 0 ? '−' : '';
  const text =
    tenths >= TEN_TIMES_TENTHS ? `× ${groupDigits(now / before)}` : `${sign}${(Math.abs(tenths) / 10).toFixed(1)} %`;
  return html`<span class="${tenths < 0 ? 'down' : 'up'}">${text}</span>`;
}

/** Returns links to the months, with the shown one marked. */
export function monthLinks(months: readonly string[], shown: string | null, path: string): HtmlText {
  const links = months.map((month) => {
    const current = month === shown ? html` aria-current="page"` : '';
    return html`<li><a href="${path}?month=${month}"${current}>${monthName(month)}</a></li>`;
  });
  return html`<nav aria-label="Months"><ul class="months">${links}</ul></nav>`;
}
