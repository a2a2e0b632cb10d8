import { endOfMonthMs, startOfMonthMs } from '../month.ts';
import { exactUnits, groupDigits } from '../shown-money.ts';
import { type HtmlText, html } from './html-text.ts';
import { kindName, sumOfKind, TERMS_KINDS } from './monthly-terms.ts';
import { sumOf } from './statement-arithmetic.ts';
import type { Statement, StatementLine, StatementTier } from './statement-document.ts';

/** Returns money to the micro-unit; decimals below the currency's own are in a fainter ink. */
export function exactMoney(micros: bigint, { minorDigits }: Pick<Statement['sponsor'], 'minorDigits'>): HtmlText {
  const text = groupDigits(exactUnits(micros));
  const point = text.indexOf('.');
  const cut = minorDigits === 0 ? point : point + 1 + minorDigits;
  return html`${text.slice(0, cut)}<span class="fine">${text.slice(cut)}</span>`;
}

/** Returns lines with their tiers, and their sum. */
export function linesTable(lines: readonly StatementLine[], { sponsor }: Statement): HtmlText {
  const total = sumOf(lines, ({ chargeMicros }) => chargeMicros);
  return html`<div class="scroll"><table>
<thead><tr><th scope="col">Application, plan and tier</th><th scope="col" class="n">Records</th><th scope="col" class="n">Sponsored octets</th><th scope="col" class="n">Price per MiB</th><th scope="col" class="n">Amount, ${sponsor.currency}</th></tr></thead>
${lines.map((line) => lineBody(line, sponsor))}
<tfoot><tr><th scope="row">Sum</th><td class="n">${groupDigits(sumOf(lines, ({ records }) => BigInt(records)))}</td><td class="n">${groupDigits(sumOf(lines, ({ sponsoredOctets }) => sponsoredOctets))}</td><td></td><td class="n">${exactMoney(total, sponsor)}</td></tr></tfoot>
</table></div>`;
}

function lineBody(line: StatementLine, sponsor: Statement['sponsor']): HtmlText {
  const { applicationId, planId, planVersion, usageMonth, isAdjustment, records, sponsoredOctets, chargeMicros } = line;
  const when = isAdjustment ? ` · used in ${usageMonth}` : '';
  const rounding =
    line.roundingMicros === 0n
      ? ''
      : html`<tr class="tier"><th scope="row">Rounding, once for each subscriber and period</th><td></td><td></td><td></td><td class="n">${groupDigits(exactUnits(line.roundingMicros))}</td></tr>`;
  return html`<tbody class="line"><tr><th scope="rowgroup">${applicationId} <span class="soft">· ${planId}, version ${planVersion}${when}</span></th><td class="n">${groupDigits(records)}</td><td class="n">${groupDigits(sponsoredOctets)}</td><td></td><td class="n">${exactMoney(chargeMicros, sponsor)}</td></tr>
${line.tiers.map(
  (tier) =>
    html`<tr class="tier"><th scope="row">${tierName(tier)}</th><td></td><td class="n">${groupDigits(tier.octets)}</td><td class="n">${groupDigits(exactUnits(tier.pricePerMiBMicros))}</td><td class="n">${groupDigits(exactUnits(tier.amountMicros))}</td></tr>`,
)}${rounding}</tbody>`;
}

function tierName({ fromOctets, toOctets }: StatementTier): string {
  if (toOctets !== null) return `A subscriber’s octets from ${groupDigits(fromOctets)} to ${groupDigits(toOctets)}`;
  return fromOctets === 0n ? 'All octets of a subscriber' : `A subscriber’s octets from ${groupDigits(fromOctets)} on`;
}

export function correctionsTable({ corrections, sponsor }: Statement): HtmlText {
  return html`<div class="scroll"><table>
<thead><tr><th scope="col">Correction</th><th scope="col">Used in</th><th scope="col">Why</th><th scope="col" class="n">Rows</th><th scope="col" class="n">Sponsored octets</th><th scope="col" class="n">Amount, ${sponsor.currency}</th></tr></thead>
<tbody>${corrections.map(
    (each) =>
      html`<tr><th scope="row">${each.number} · ${each.name}</th><td>${each.usageMonth}</td><td>${each.why} <span class="soft">(${each.who})</span></td><td class="n">${groupDigits(each.rows)}</td><td class="n">${groupDigits(each.sponsoredOctets)}</td><td class="n">${exactMoney(each.chargeMicros, sponsor)}</td></tr>`,
  )}</tbody>
<tfoot><tr><th scope="row" colspan="5">Sum</th><td class="n">${exactMoney(
    sumOf(corrections, ({ chargeMicros }) => chargeMicros),
    sponsor,
  )}</td></tr></tfoot>
</table></div>`;
}

/** Returns the account: opening balance, entries, the statement's total, what its closing posts, closing balance. */
export function accountTable(statement: Statement): HtmlText {
  const { entries, totals, sponsor, month, isOpeningFinal, isClosed, due } = statement;
  const [first, last] = [startOfMonthMs(month), endOfMonthMs(month) - 1].map((timeMs) =>
    dayOf(new Date(timeMs).toISOString()),
  );
  const provisional = isOpeningFinal ? '' : html` <span class="soft">(may change: an earlier month is open)</span>`;
  const posted = (
    [
      ...TERMS_KINDS.map((kind) => [kindName(kind), isClosed ? -sumOfKind(statement, kind) : 0n] as const),
      ['Tax', due === null || !isClosed ? 0n : -due.taxMicros],
      ['Rounding', due === null || !isClosed ? 0n : due.roundingMicros],
    ] as const
  ).filter(([, micros]) => micros !== 0n);
  return html`<div class="scroll"><table>
<thead><tr><th scope="col" class="date">Effective</th><th scope="col">Entry</th><th scope="col">Why</th><th scope="col" class="n">Amount, ${sponsor.currency}</th></tr></thead>
<tbody><tr><th scope="row" class="date">${first}</th><td>Opening balance${provisional}</td><td></td><td class="n">${exactMoney(totals.openingMicros, sponsor)}</td></tr>
${entries.map(
  ({ number, kind, effectiveAt, why, who, amountMicros }) =>
    html`<tr><th scope="row" class="date">${dayOf(effectiveAt)}</th><td>${number} · ${kind}</td><td>${why} <span class="soft">(${who})</span></td><td class="n">${exactMoney(amountMicros, sponsor)}</td></tr>`,
)}
<tr><th scope="row" class="date">${last}</th><td>Charges and adjustments</td><td></td><td class="n">${exactMoney(-totals.chargeMicros - totals.adjustmentMicros, sponsor)}</td></tr>${posted.map(
    ([name, micros]) =>
      html`<tr><th scope="row" class="date">${last}</th><td>${name}</td><td></td><td class="n">${exactMoney(micros, sponsor)}</td></tr>`,
  )}</tbody>
<tfoot><tr><th scope="row" class="date">${last}</th><td colspan="2">Closing balance</td><td class="n">${exactMoney(totals.closingMicros, sponsor)}</td></tr></tfoot>
</table></div>`;
}

/** Returns the day of an instant in ISO 8601. */
function dayOf(time: string): string {
  return time.slice(0, 10);
}
