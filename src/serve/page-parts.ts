import { minorDigitsOf } from '../billing/currencies.ts';
import { HtmlText, html } from '../finance/html-text.ts';
import { monthName } from '../finance/month.ts';
import { exactUnits, groupDigits, roundedUnits } from '../finance/shown-money.ts';
import { PAGE_STYLE } from './page-style.ts';

/** A whole page that needs nothing else. */
export function page(title: string, inner: HtmlText): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${title} · zerorate</title>
<style>${new HtmlText(PAGE_STYLE)}</style>
</head>
<body>
${inner}
<footer>Read from the store as it is now; nothing here changes it. Money is rounded to its currency’s decimals, a pointer on it shows all six. A statistics period belongs to the month that it begins in. Any ClickHouse client can ask this address over HTTP.</footer>
</body>
</html>
`.toString();
}

export function section(title: string, inner: HtmlText, note = ''): HtmlText {
  return html`<section><h2>${title}</h2>${note === '' ? '' : html`<p class="note">${note}</p>`}${inner}</section>`;
}

export function nothing(text: string): HtmlText {
  return html`<p class="note">${text}</p>`;
}

export interface Column<T> {
  title: string;
  /** The row's header, or a number to the right. */
  kind?: 'head' | 'number';
  cell: (row: T) => HtmlText | string;
}

export function table<T>(rows: readonly T[], columns: readonly Column<T>[]): HtmlText {
  const heads = columns.map(({ title, kind }) => html`<th scope="col"${classOf(kind)}>${title}</th>`);
  const body = rows.map(
    (row) =>
      html`<tr>${columns.map(({ kind, cell }) =>
        kind === 'head' ? html`<th scope="row">${cell(row)}</th>` : html`<td${classOf(kind)}>${cell(row)}</td>`,
      )}</tr>`,
  );
  return html`<div class="scroll"><table><thead><tr>${heads}</tr></thead><tbody>${body}</tbody></table></div>`;
}

function classOf(kind: Column<never>['kind']): HtmlText | string {
  return kind === 'number' ? html` class="n"` : '';
}

/** Rounded to the currency's decimals, half away from zero; all six of them in its title. */
export function money(micros: bigint, currency: string): HtmlText {
  const exact = `${groupDigits(exactUnits(micros))} ${currency}`;
  return html`<span title="${exact}">${groupDigits(roundedUnits(micros, minorDigitsOf(currency)))}</span>`;
}

/** Links to the months, the one that is shown marked. */
export function monthLinks(months: readonly string[], shown: string | null, path: string): HtmlText {
  const links = months.map((month) => {
    const current = month === shown ? html` aria-current="page"` : '';
    return html`<li><a href="${path}?month=${month}"${current}>${monthName(month)}</a></li>`;
  });
  return html`<nav aria-label="Months"><ul class="months">${links}</ul></nav>`;
}
