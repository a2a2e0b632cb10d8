import { exactUnits, groupDigits } from '../shown-money.ts';
import { type HtmlText, html } from './html-text.ts';
import { kindName, termsName } from './monthly-terms.ts';
import type { Statement, StatementTerms } from './statement-document.ts';
import { exactMoney } from './statement-sections.ts';

/** Returns the terms of the month with what each of them bills, and their sum. */
export function termsTable({ sponsor, totals }: Statement, monthlyTerms: readonly StatementTerms[]): HtmlText {
  return html`<div class="scroll"><table>
<thead><tr><th scope="col">Terms</th><th scope="col">How</th><th scope="col" class="n">Amount, ${sponsor.currency}</th></tr></thead>
${monthlyTerms.map(
  (terms) =>
    html`<tbody class="line"><tr><th scope="rowgroup">${termsName(terms)}</th><td></td><td class="n">${exactMoney(terms.amountMicros, sponsor)}</td></tr>
${rows(terms).map(
  ({ name, how, amountMicros }) =>
    html`<tr class="tier"><th scope="row">${name}</th><td>${how}</td><td class="n">${groupDigits(exactUnits(amountMicros))}</td></tr>`,
)}</tbody>`,
)}
<tfoot><tr><th scope="row" colspan="2">Sum</th><td class="n">${exactMoney(totals.monthlyTermsMicros ?? 0n, sponsor)}</td></tr></tfoot>
</table></div>`;
}

interface TermsRow {
  name: string;
  how: string;
  amountMicros: bigint;
}

/** Returns what was agreed: also a rebate that was not reached, and a commitment that was. */
function rows(terms: StatementTerms): TermsRow[] {
  const { flatFeeMicros, minimumCommitmentMicros, volumeRebate, countedMicros } = terms;
  const units = (micros: bigint) => groupDigits(exactUnits(micros));
  const rows: TermsRow[] = [];
  if (flatFeeMicros !== 0n)
    rows.push({ name: kindName('flat-fee'), how: 'in each month', amountMicros: flatFeeMicros });
  if (volumeRebate !== null) {
    rows.push({
      name: kindName('volume-rebate'),
      how: rebateText(terms, volumeRebate),
      amountMicros: -terms.rebateMicros,
    });
  }
  if (minimumCommitmentMicros !== null) {
    const how = `committed ${units(minimumCommitmentMicros)}, charged after rebates ${units(countedMicros)}`;
    rows.push({ name: kindName('shortfall'), how, amountMicros: terms.shortfallMicros });
  }
  return rows;
}

function rebateText(
  { sponsoredOctets, chargeMicros }: StatementTerms,
  { appliesTo, bands }: NonNullable<StatementTerms['volumeRebate']>,
): string {
  const each = bands.map(
    ({ fromOctets, basisPoints }) => `${basisPoints / 100} % from ${groupDigits(fromOctets)} octets`,
  );
  const of =
    appliesTo === 'all_charges'
      ? 'of all charges, by the highest band reached'
      : 'of the share of the charges in each band';
  return `${each.join(', ')} ${of}; ${groupDigits(sponsoredOctets)} octets, charged ${groupDigits(exactUnits(chargeMicros))}`;
}
