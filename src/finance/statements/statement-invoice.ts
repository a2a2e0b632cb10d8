import { exactUnits, groupDigits, roundedOctets, roundedUnits } from '../shown-money.ts';
import { type HtmlText, html } from './html-text.ts';
import { kindName, sumOfKind, TERMS_KINDS } from './monthly-terms.ts';
import type { Statement, StatementDue } from './statement-document.ts';
import { exactMoney } from './statement-sections.ts';

type Party = NonNullable<Statement['invoice']>['seller'] | NonNullable<Statement['invoice']>['buyer'];

/** Returns the amount to be paid, as the first thing on the page; of a month that was closed without rounding, its total. */
export function amountDueHero(statement: Statement, monthName: string): HtmlText {
  const { sponsor, totals, due, invoice, isClosed } = statement;
  const shown = due === null ? totals.total : due.amountDue;
  const title = due === null ? `Total for ${monthName}` : 'Amount due';
  const by = invoice?.dueDate == null ? '' : ` by ${invoice.dueDate}`;
  const exact = `${groupDigits(exactUnits(totals.chargeMicros + totals.adjustmentMicros))} ${sponsor.currency} charged, before rounding, for ${roundedOctets(totals.sponsoredOctets)} sponsored.`;
  const owed = totals.closingMicros < 0n;
  const balance = roundedUnits(owed ? -totals.closingMicros : totals.closingMicros, sponsor.minorDigits);
  const provisional = due !== null && !isClosed ? html`<p class="note">As if the month were closed now.</p>` : '';
  return html`<div>
<h3>${title}${by}</h3>
<p class="amount">${groupDigits(shown)}<small>${sponsor.currency}</small></p>
${provisional}<p class="note">${exact}</p>
<p class="note">Balance at the end of ${monthName}: <b>${groupDigits(balance)} ${sponsor.currency} ${owed ? 'owed' : 'in credit'}</b></p></div>`;
}

/** Returns the rows between the charges and the closing balance: what the closing posts. An open month posts nothing yet. */
export function postedRows(statement: Statement, row: (name: string, micros: bigint) => HtmlText): HtmlText[] {
  const { due, invoice, isClosed } = statement;
  if (due === null || !isClosed) return [];
  return [
    ...termsSums(statement).map(([name, micros]) => row(name, -micros)),
    ...(due.taxMicros === 0n ? [] : [row(taxName(invoice), -due.taxMicros)]),
    ...(due.roundingMicros === 0n ? [] : [row('Rounding', due.roundingMicros)]),
  ];
}

/** Returns numbers, dates and parties of the invoice, and the parts of its amount due; null: the statement bills nothing. */
export function invoiceSection(statement: Statement): HtmlText | null {
  const { due, invoice, sponsor } = statement;
  if (due === null) return null;
  const table = html`<table class="facts due"><tbody>${dueRows(statement, due)}</tbody></table>`;
  if (invoice === null) return html`<p class="note">This statement is no invoice.</p>${table}`;
  const { number, issueDate, dueDate, termsDays, seller, buyer } = invoice;
  const bank = seller.bankAccount;
  const reference = [buyer.reference, buyer.orderReference].filter((text) => text !== undefined).join(' · ');
  const fact = (name: string, text: string | undefined) =>
    text === undefined || text === '' ? '' : html`<tr><th scope="row">${name}</th><td>${text}</td></tr>`;
  return html`<div class="pair"><div><h3>From</h3>${partyText(seller)}</div><div><h3>To</h3>${partyText(buyer)}</div></div>
<table class="facts"><tbody>
${fact('Invoice number', number ?? 'given when the month is closed')}
${fact('Issued', issueDate ?? 'when the month is closed')}
${fact('Due', dueDate ?? `${termsDays} days after that`)}
${fact('Reference', reference)}
${fact('Tax', buyer.tax.exemptionReason === undefined ? undefined : `${buyer.tax.category}: ${buyer.tax.exemptionReason}`)}
${fact('To pay to', bank === undefined ? undefined : [bank.name, bank.id, bank.bankId].filter((text) => text !== undefined).join(' · '))}
${fact('Currency', sponsor.currency)}
</tbody></table>
${table}`;
}

/** Returns the names and sums of the kinds of amounts that monthly terms add to the bill. */
function termsSums(statement: Statement): (readonly [name: string, micros: bigint])[] {
  return TERMS_KINDS.map((kind) => [kindName(kind), sumOfKind(statement, kind)] as const).filter(
    ([, micros]) => micros !== 0n,
  );
}

function dueRows(statement: Statement, due: StatementDue): HtmlText[] {
  const { totals, sponsor, invoice } = statement;
  const { taxableMicros, taxMicros, amountDueMicros } = due;
  const rest = amountDueMicros - taxableMicros - taxMicros;
  const whole = (micros: bigint) => groupDigits(roundedUnits(micros, sponsor.minorDigits));
  const row = (name: string, text: HtmlText | string) =>
    html`<tr><th scope="row">${name}</th><td class="n">${text}</td></tr>`;
  return [
    row('Charges and adjustments', exactMoney(totals.chargeMicros + totals.adjustmentMicros, sponsor)),
    ...termsSums(statement).map(([name, micros]) => row(name, exactMoney(micros, sponsor))),
    row(invoice === null ? 'Total, rounded' : 'Taxable amount, rounded', whole(taxableMicros)),
    ...(invoice === null
      ? []
      : [row(taxName(invoice), whole(taxMicros)), row('Total with tax', whole(taxableMicros + taxMicros))]),
    ...(rest === 0n
      ? []
      : [row(rest < 0n ? 'Paid ahead, and other entries' : 'Other entries of the account', whole(rest))]),
    html`<tr class="sum"><th scope="row"><b>Amount due, ${sponsor.currency}</b></th><td class="n"><b>${whole(amountDueMicros)}</b></td></tr>`,
  ];
}

function taxName(invoice: Statement['invoice']): string {
  if (invoice === null) return 'Tax';
  const { category, rate } = invoice.buyer.tax;
  return rate === undefined ? `Tax (${category})` : `Tax (${category}, ${rate} %)`;
}

function partyText({ legalName, taxId, companyId, address }: Party): HtmlText {
  const { street, postalCode, city, region, country } = address;
  const place = [postalCode, city, region].filter((text) => text !== undefined).join(' ');
  const ids = [taxId, companyId].filter((text) => text !== undefined).join(' · ');
  return html`<p><b>${legalName}</b><br>${street}<br>${place}, ${country}${ids === '' ? '' : html`<br><span class="soft">${ids}</span>`}</p>`;
}
