/** The statement's style sheet: for a screen, and for A4. */
export const STATEMENT_STYLE = `
:root { --ink: #16202c; --soft: #5b6875; --line: #d8dee5; --faint: #f4f6f8; --deep: #17496e; --pale: #b7cfe2; --money: #1d7a63; --warn: #8a4b08; }
* { box-sizing: border-box; }
html { background: #e9edf1; }
body { margin: 0 auto; max-width: 210mm; padding: 18mm 17mm 16mm; background: #fff; color: var(--ink);
  font: 13px/1.5 "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif; font-variant-numeric: tabular-nums; }
h1, h2, h3, p, dl, dd, figure, table { margin: 0; }
h1 { font-size: 30px; line-height: 1.15; font-weight: 600; letter-spacing: -.015em; }
h2 { font-size: 15px; font-weight: 600; margin: 30px 0 8px; padding-bottom: 6px; border-bottom: 1.5px solid var(--ink); break-after: avoid; }
h3 { font-size: 11px; font-weight: 600; color: var(--soft); margin: 0 0 6px; break-after: avoid; }
.kicker { color: var(--soft); font-size: 12px; letter-spacing: .08em; text-transform: uppercase; margin-bottom: 8px; }
.soft, caption, figcaption { color: var(--soft); }
.soft { font-weight: 400; }
header { display: flex; justify-content: space-between; gap: 24px; align-items: flex-start; }
header .period { font-size: 17px; color: var(--soft); margin-top: 3px; }
header dl { display: grid; grid-template-columns: auto auto; gap: 2px 16px; font-size: 12px; min-width: 230px; }
header dt { color: var(--soft); }
header dd { text-align: right; }
.badge { display: inline-block; padding: 1px 9px; border-radius: 9px; font-size: 11px; font-weight: 600; border: 1px solid currentColor; }
.closed { color: var(--money); } .open { color: var(--warn); }
.hero { display: grid; grid-template-columns: 1fr 1.15fr; gap: 30px; margin-top: 26px; padding: 20px 22px; background: var(--faint); border-radius: 6px; break-inside: avoid; }
.hero .amount { font-size: 35px; line-height: 1.15; font-weight: 600; letter-spacing: -.02em; white-space: nowrap; }
.hero .amount small { font-size: 17px; font-weight: 500; color: var(--soft); letter-spacing: 0; margin-left: 6px; }
.hero table td { padding: 3px 0; border: 0; }
.hero tr.sum td, .hero tr.sum th { border-top: 1px solid var(--ink); font-weight: 600; padding-top: 5px; }
.hero th { font-weight: 400; padding: 3px 12px 3px 0; }
table { width: 100%; border-collapse: collapse; }
caption { text-align: left; font-size: 12px; padding-bottom: 6px; }
th { text-align: left; font-weight: 600; vertical-align: top; padding: 5px 10px 5px 0; }
td { vertical-align: top; padding: 5px 10px 5px 0; border-top: 1px solid var(--line); }
thead th { vertical-align: bottom; font-size: 11px; color: var(--soft); border-bottom: 1px solid var(--line); }
thead { display: table-header-group; }
tr { break-inside: avoid; }
.n { text-align: right; white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
tbody th { font-weight: 400; border-top: 1px solid var(--line); }
.hero tbody th { border-top: 0; }
tbody.line tr:first-child th { font-weight: 600; }
tbody.line { break-inside: avoid; }
tr.tier td, tr.tier th { border-top: 0; padding-top: 0; color: var(--soft); font-size: 12px; }
tr.tier th { padding-left: 14px; }
tfoot td, tfoot th { border-top: 1px solid var(--ink); font-weight: 600; }
.facts { break-inside: avoid; } .facts tr:first-child > * { border-top: 0; } .facts + *, .scroll + .scroll { margin-top: 12px; }
.facts th { white-space: nowrap; width: 1%; padding-right: 24px; } .facts td.n { width: 1%; padding-right: 20px; }
table.due { width: auto; min-width: 50%; } table.due td.n { padding-right: 0; }
.date { white-space: nowrap; width: 1%; padding-right: 20px; }
.fine { color: #6b7680; font-weight: 400; }
figure { break-inside: avoid; margin-top: 14px; }
figcaption { font-size: 12px; margin-bottom: 4px; display: flex; justify-content: space-between; gap: 12px; }
figcaption span { white-space: nowrap; }
figcaption b { white-space: nowrap; color: var(--ink); font-weight: 600; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 34px; break-inside: avoid; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font-size: 10.5px; fill: var(--soft); }
svg .label { font-size: 12.5px; fill: var(--ink); } svg .value { font-size: 12px; fill: var(--ink); }
svg .grid { stroke: var(--line); stroke-width: 1; } svg .track { fill: var(--faint); }
svg .sponsored { fill: var(--deep); } svg .subscriber { fill: var(--pale); } svg .money { fill: var(--money); }
.key { display: inline-block; width: 9px; height: 9px; margin: 0 5px 0 12px; border-radius: 1px; }
.key.sponsored { background: var(--deep); } .key.subscriber { background: var(--pale); } .key.money { background: var(--money); }
details { margin-top: 10px; font-size: 12px; } summary { color: var(--soft); cursor: pointer; }
.note { margin-top: 8px; color: var(--soft); font-size: 12px; max-width: 62em; }
code, .hash { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; font-size: 11px; overflow-wrap: anywhere; }
pre { margin: 8px 0 0; padding: 10px 12px; background: var(--faint); border-radius: 4px; white-space: pre-wrap; }
h2 + .note { margin: 0 0 6px; }
footer { margin-top: 34px; padding-top: 8px; border-top: 1px solid var(--line); color: var(--soft); font-size: 11px; }
@page { size: A4; margin: 15mm 15mm 16mm; @bottom-right { content: counter(page) " / " counter(pages); font: 9px Helvetica, Arial, sans-serif; color: #5b6875; } }
@media print {
  html { background: none; }
  body { max-width: none; padding: 0; font-size: 10.5px; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  header dl { font-size: 9.5px; } h2 + .note { margin: 0 0 6px; }
footer { font-size: 9px; margin-top: 22px; } .badge { font-size: 9px; }
  h1 { font-size: 25px; } h2 { font-size: 12.5px; margin-top: 20px; }
  .hero .amount { font-size: 29px; } .hero { margin-top: 18px; }
  tr.tier td, tr.tier th, .note, caption, figcaption, .hero .note, h3, .kicker { font-size: 9.5px; } thead th { font-size: 9px; }
  td, th { padding-top: 3.5px; padding-bottom: 3.5px; }
  code, .hash { font-size: 9px; }
  details { display: none; } pre { break-inside: avoid; } .note:has(+ pre) { break-after: avoid; }
}
@media (max-width: 700px) {
  body { padding: 20px 16px; } header, .hero, .pair { display: block; } header dl { margin-top: 14px; } .hero table { margin-top: 16px; }
  .scroll { overflow-x: auto; } .scroll table { min-width: 600px; }
}
`;
