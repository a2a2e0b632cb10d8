import { dayName, daysOfMonth, monthName } from '../month.ts';
import { groupDigits } from '../shown-money.ts';
import { type HtmlText, html, HtmlText as Raw } from './html-text.ts';
import { completenessSection, proofSection } from './statement-assurance.ts';
import type { Statement } from './statement-document.ts';
import { usageFigures } from './statement-figures.ts';
import { amountDueHero, invoiceSection, postedRows } from './statement-invoice.ts';
import { accountTable, correctionsTable, exactMoney, linesTable } from './statement-sections.ts';
import { STATEMENT_STYLE } from './statement-style.ts';
import { termsTable } from './statement-terms-table.ts';

/** Returns the statement as one page without other files: for a screen, and for printing on A4. */
export function statementHtml(statement: Statement): string {
  const { sponsor, month, lines, corrections, monthlyTerms, invoice } = statement;
  const billed = invoiceSection(statement);
  const own = lines.filter(({ isAdjustment }) => !isAdjustment);
  const late = lines.filter(({ isAdjustment }) => isAdjustment);
  const shownMonth = monthName(month);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${invoice?.number == null ? '' : `Invoice ${invoice.number} · `}Statement ${month} · ${sponsor.name}</title>
<style>${new Raw(STATEMENT_STYLE)}</style>
</head>
<body>
${heading(statement, shownMonth)}
<main>
${summary(statement, shownMonth)}
${billed === null ? '' : section(invoice === null ? 'Amount due' : 'Invoice', billed)}
${section('Charges', own.length === 0 ? nothing('Nothing was charged for usage of this month.') : linesTable(own, statement))}
${section('Usage of the month', usageFigures(statement))}
${late.length === 0 ? '' : section('Adjustments', linesTable(late, statement), 'Usage of months that were closed before these records came.')}
${corrections.length === 0 ? '' : section('Corrections', correctionsTable(statement), 'Charges that were reversed and re-rated.')}
${monthlyTerms === undefined ? '' : section('Fees, commitments and rebates', termsTable(statement, monthlyTerms), 'Agreed for the month as a whole; posted when it is closed.')}
${section('Account', accountTable(statement), 'Credits are positive. A balance below 0 is owed.')}
${section('Completeness', completenessSection(statement))}
${section('Proof', proofSection(statement))}
</main>
<footer>Amounts are exact to a millionth of a unit; only what is billed is rounded, half away from zero: the total, once, and the tax on it. A statistics period belongs to the month that it begins in, in its plan’s time zone. Days of charts are those of use. 1 MiB is 1 048 576 octets.</footer>
</body>
</html>
`;
  return page.toString();
}

function section(title: string, inner: HtmlText, note = ''): HtmlText {
  const id = title.toLowerCase().replaceAll(' ', '-');
  return html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${note === '' ? '' : html`<p class="note">${note}</p>`}${inner}</section>`;
}

function nothing(text: string): HtmlText {
  return html`<p class="note">${text}</p>`;
}

function heading({ sponsor, month, closing, totals, invoice }: Statement, shownMonth: string): HtmlText {
  const period = daysOfMonth(month);
  const status =
    closing === null
      ? html`<span class="badge open">Open · may still change</span>`
      : html`<span class="badge closed">Closed</span>`;
  const closed =
    closing === null
      ? ''
      : html`<dt>Closed on</dt><dd>${dayName(Date.parse(closing.closedAt))}, by ${closing.who}</dd><dt>Closing number</dt><dd>${closing.number}</dd>`;
  return html`<header><div><p class="kicker">${invoice?.number == null ? 'Statement of sponsored data' : `Invoice ${invoice.number}`}</p><h1>${sponsor.name}</h1><p class="period">${shownMonth}</p></div>
<dl><dt>Sponsor</dt><dd>${sponsor.id}</dd><dt>Period</dt><dd>${period}</dd><dt>Currency</dt><dd>${sponsor.currency}</dd><dt>Records</dt><dd>${groupDigits(totals.records)}</dd><dt>Status</dt><dd>${status}</dd>${closed}</dl></header>`;
}

/** Returns the amount due first, then how the balance comes about. */
function summary(statement: Statement, shownMonth: string): HtmlText {
  const { sponsor, totals } = statement;
  const row = (name: string, micros: bigint) =>
    html`<tr><th scope="row">${name}</th><td class="n">${exactMoney(micros, sponsor)}</td></tr>`;
  const adjustments =
    totals.adjustmentMicros === 0n ? '' : row('Adjustments of earlier months', -totals.adjustmentMicros);
  return html`<section class="hero" aria-label="Summary">${amountDueHero(statement, shownMonth)}
<table><tbody>${row('Opening balance', totals.openingMicros)}${row('Payments and other entries', totals.creditMicros)}${row(`Charges of ${shownMonth}`, -totals.chargeMicros)}${adjustments}${postedRows(statement, row)}
<tr class="sum"><th scope="row">Closing balance</th><td class="n">${exactMoney(totals.closingMicros, sponsor)}</td></tr></tbody></table></section>`;
}
