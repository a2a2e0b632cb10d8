import { type HtmlText, html } from './html-text.ts';
import { groupDigits } from './shown-money.ts';
import { sumOf } from './statement-arithmetic.ts';
import type { Statement } from './statement-document.ts';
import { money } from './statement-sections.ts';

const SHOWN_NODES = 12;
const SHOWN_BATCHES = 12;

/** What may be missing in the bill. */
export function completenessSection(statement: Statement): HtmlText {
  const { rejections, lateRecords, sourceGaps, sequenceGaps } = statement.completeness;
  const rejected = rejections.reduce((count, { records }) => count + records, 0);
  const reasons = rejections.map(({ reason, records }) => `${reason} ${groupDigits(records)}`).join(', ');
  const lost = sourceGaps
    .map(
      ({ topic, partition, firstLostOffset, lastLostOffset, reason }) =>
        `${topic}-${partition}, offsets ${firstLostOffset} to ${lastLostOffset} (${reason})`,
    )
    .join('; ');
  const offsetsLost = sourceGaps.reduce((count, gap) => count + gap.lastLostOffset - gap.firstLostOffset + 1, 0);
  const missing = sequenceGaps.reduce((count, node) => count + node.missing, 0);
  return html`<div class="scroll"><table class="facts"><tbody>
<tr><th scope="row">Records that came late</th><td class="n">${groupDigits(lateRecords.records)}</td><td>${lateInWords(statement)}</td></tr>
<tr><th scope="row">Records rejected, of all sponsors</th><td class="n">${groupDigits(rejected)}</td><td>${rejected === 0 ? 'Every record could be rated.' : reasons}</td></tr>
<tr><th scope="row">Sequence numbers missing</th><td class="n">${groupDigits(missing)}</td><td>${missing === 0 ? 'No node left a number out among the records of this bill.' : 'Numbers that a node must have used among the records of this bill, and that no readable record had.'}</td></tr>
<tr><th scope="row">Offsets lost by the source</th><td class="n">${groupDigits(offsetsLost)}</td><td>${sourceGaps.length === 0 ? 'The source lost nothing before it was read.' : lost}</td></tr>
</tbody></table></div>${missing === 0 ? '' : gapsTable(statement)}`;
}

function lateInWords({ completeness: { lateRecords }, sponsor }: Statement): HtmlText {
  if (lateRecords.records === 0) return html`Every record was booked in the month that it was used in.`;
  const { sponsoredOctets, chargeMicros } = lateRecords;
  return html`${groupDigits(sponsoredOctets)} sponsored octets, ${money(chargeMicros, sponsor)} ${sponsor.currency}: used in a month before the one they were booked in. All are in this bill.`;
}

function gapsTable({ completeness: { sequenceGaps }, sponsor }: Statement): HtmlText {
  const shown = sequenceGaps.slice(0, SHOWN_NODES);
  const others = sequenceGaps.length - shown.length;
  return html`<div class="scroll"><table>
<caption>What the missing numbers would have held if they were like the records of this bill that their node did send${others === 0 ? '' : `; ${others} more nodes in the JSON`}</caption>
<thead><tr><th scope="col">Node</th><th scope="col" class="n">Gaps</th><th scope="col" class="n">Missing</th><th scope="col" class="n">Sponsored octets at risk</th><th scope="col" class="n">Charge at risk, ${sponsor.currency}</th></tr></thead>
<tbody>${shown.map(
    (node) =>
      html`<tr><th scope="row">${node.nodeId}</th><td class="n">${groupDigits(node.gaps)}</td><td class="n">${groupDigits(node.missing)}</td><td class="n">${groupDigits(node.sponsoredOctetsAtRisk)}</td><td class="n">${money(node.chargeMicrosAtRisk, sponsor)}</td></tr>`,
  )}</tbody>
<tfoot><tr><th scope="row">Sum</th><td class="n">${groupDigits(sumOf(sequenceGaps, ({ gaps }) => BigInt(gaps)))}</td><td class="n">${groupDigits(sumOf(sequenceGaps, ({ missing }) => BigInt(missing)))}</td><td class="n">${groupDigits(sumOf(sequenceGaps, (node) => node.sponsoredOctetsAtRisk))}</td><td class="n">${money(
    sumOf(sequenceGaps, (node) => node.chargeMicrosAtRisk),
    sponsor,
  )}</td></tr></tfoot></table></div>`;
}

/** What the bill can be checked by. */
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
    : html`<details><summary>Digests of the batches</summary><table><thead><tr><th scope="col">Log</th><th scope="col" class="n">Offsets</th><th scope="col">Digest</th></tr></thead><tbody>${shown.map(
        ({ topic, partition, firstOffset, lastOffset, digest }) =>
          html`<tr><th scope="row">${topic}-${partition}</th><td class="n">${firstOffset} to ${lastOffset}</td><td class="hash">${digest}</td></tr>`,
      )}</tbody></table>${others === 0 ? '' : html`<p class="note">${groupDigits(others)} more in the JSON.</p>`}</details>`
}`;
}
