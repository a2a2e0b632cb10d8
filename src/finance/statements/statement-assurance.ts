import { groupDigits } from '../shown-money.ts';
import { type HtmlText, html } from './html-text.ts';
import type { Statement } from './statement-document.ts';
import { exactMoney } from './statement-sections.ts';

const SHOWN_BATCHES = 12;

/** Returns the section on what may be missing in the bill. */
export function completenessSection(statement: Statement): HtmlText {
  const { completeness, sponsor } = statement;
  const { rejections, lateRecords, sourceGaps, missingRecords } = completeness;
  const rejected = rejections.reduce((count, { records }) => count + records, 0);
  const reasons = rejections.map(({ reason, records }) => `${reason} ${groupDigits(records)}`).join(', ');
  const lost = sourceGaps.map(({ reason, bookingDate }) => `${bookingDate} (${reason})`).join('; ');
  const { records, sponsoredOctets, chargeMicros } = missingRecords;
  return html`<div class="scroll"><table class="facts"><tbody>
<tr><th scope="row">Records that came late</th><td class="n">${groupDigits(lateRecords.records)}</td><td>${lateInWords(statement)}</td></tr>
<tr><th scope="row">Records of this sponsor that were rejected</th><td class="n">${groupDigits(rejected)}</td><td>${rejected === 0 ? 'None.' : reasons}</td></tr>
<tr><th scope="row">Records missing, estimated</th><td class="n">${groupDigits(records)}</td><td>${
    records === 0 && chargeMicros === 0n
      ? 'The sequence numbers of the network nodes leave out nothing among the records of this bill.'
      : html`${groupDigits(sponsoredOctets)} sponsored octets, ${exactMoney(chargeMicros, sponsor)} ${sponsor.currency}, if what the network nodes left out among the records of this bill was like them. None of it is in this bill.`
  }</td></tr>
<tr><th scope="row">Losses of the source</th><td class="n">${groupDigits(sourceGaps.length)}</td><td>${sourceGaps.length === 0 ? 'The source lost nothing before it was read.' : html`Noted on ${lost}: records of any sponsor that the source no longer had.`}</td></tr>
</tbody></table></div>`;
}

function lateInWords({ completeness: { lateRecords }, sponsor }: Statement): HtmlText {
  if (lateRecords.records === 0) return html`Every record was booked before its month was closed and settled.`;
  const { sponsoredOctets, chargeMicros } = lateRecords;
  return html`${groupDigits(sponsoredOctets)} sponsored octets, ${exactMoney(chargeMicros, sponsor)} ${sponsor.currency}: booked after their month was closed, or after the settlement time of their plan. All are in this bill.`;
}

/** Returns the section on how the bill can be checked. */
export function proofSection({ proof, sponsor, month }: Statement): HtmlText {
  const { batches, leaves, merkleRoot } = proof;
  const listed = batches.list ?? [];
  const shown = listed.slice(0, SHOWN_BATCHES);
  const others = batches.count - shown.length;
  const name = `${sponsor.id}-${month}`;
  return html`<table class="facts"><tbody>
<tr><th scope="row">Merkle root</th><td class="hash">${merkleRoot}</td></tr>
<tr><th scope="row">Rows</th><td>${groupDigits(leaves)} leaves, SHA-256, RFC 6962, in the order of log, partition, offset and correction</td></tr>
<tr><th scope="row">Batches</th><td>${groupDigits(batches.count)} of the journal; SHA-256 over their digests <span class="hash">${batches.digest}</span></td></tr>
</tbody></table>
<p class="note">This bill can be checked without the carrier: ask for its rows, and run</p>
<pre><code>zerorate verify ${name}.json ${name}.csv
zerorate prove ${name}.csv --statement ${name}.json --topic T --partition P --offset N --out proof.json
zerorate verify proof.json --root ${merkleRoot}</code></pre>
${
  shown.length === 0
    ? ''
    : html`<details><summary>Digests of the batches</summary><ol>${shown.map(
        ({ digest }) => html`<li class="hash">${digest}</li>`,
      )}</ol>${others === 0 ? '' : html`<p class="note">${groupDigits(others)} more in the JSON.</p>`}</details>`
}`;
}
