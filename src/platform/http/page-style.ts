/** The pages' style sheet: light or dark, by the reader's system setting. */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --ink: #16202c; --soft: #5b6875; --line: #d8dee5; --faint: #f4f6f8; --paper: #fff; --ground: #e9edf1;
  --deep: #17496e; --pale: #b7cfe2; --money: #1d7a63; --warn: #8a4b08; --owed: #a3312a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ee; --soft: #94a1ae; --line: #2c3844; --faint: #1c2630; --paper: #151d25; --ground: #0d1319;
  --deep: #6aa9d6; --pale: #2f5674; --money: #4db996; --warn: #e0a35e; --owed: #ef8178; } }
* { box-sizing: border-box; }
html { background: var(--ground); }
body { margin: 0 auto; max-width: 1080px; min-height: 100vh; padding: 34px 44px 48px; background: var(--paper); color: var(--ink);
  font: 14px/1.5 "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif; font-variant-numeric: tabular-nums; }
h1, h2, h3, p, dl, dt, dd, figure, table, ul { margin: 0; padding: 0; }
a { color: var(--deep); text-underline-offset: 2px; } :focus-visible { outline: 2px solid var(--deep); outline-offset: 2px; } main:focus { outline: none; }
.skip { position: absolute; left: -999px; } .skip:focus { left: 12px; top: 8px; padding: 4px 10px; background: var(--paper); z-index: 1; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.pages { display: flex; flex-wrap: wrap; gap: 4px 22px; list-style: none; margin: 0 0 26px; padding-bottom: 10px; border-bottom: 1px solid var(--line); }
.pages a { text-decoration: none; padding: 2px 0; } .pages a:hover { text-decoration: underline; } .pages a[aria-current] { color: var(--ink); font-weight: 600; border-bottom: 2px solid var(--deep); }
h1 { font-size: 28px; line-height: 1.2; font-weight: 600; letter-spacing: -.015em; }
h2 { font-size: 17px; font-weight: 600; margin: 36px 0 10px; padding-bottom: 6px; border-bottom: 1.5px solid var(--ink); }
.kicker { color: var(--soft); font-size: 12px; letter-spacing: .08em; text-transform: uppercase; margin-bottom: 6px; }
.soft, figcaption { color: var(--soft); } .note { color: var(--soft); font-size: 13px; max-width: 62em; margin: 0 0 10px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(215px, 1fr)); gap: 14px; list-style: none; }
.card { background: var(--faint); border-radius: 8px; padding: 15px 17px; display: block; text-decoration: none; color: inherit; }
a.card:hover { box-shadow: inset 0 0 0 1.5px var(--deep); }
.card .name { font-weight: 600; display: flex; justify-content: space-between; gap: 8px; align-items: baseline; }
.card .amount { font-size: 25px; line-height: 1.25; font-weight: 600; letter-spacing: -.02em; margin-top: 6px; white-space: nowrap; }
.card .amount small { font-size: 13px; font-weight: 500; color: var(--soft); letter-spacing: 0; margin-left: 5px; }
.owed { color: var(--owed); }
.badge { display: inline-block; padding: 0 8px; border-radius: 9px; font-size: 11px; line-height: 17px; font-weight: 600; border: 1px solid currentColor; white-space: nowrap; }
.good { color: var(--money); } .bad { color: var(--warn); }
.months { display: flex; flex-wrap: wrap; gap: 6px; list-style: none; margin: 0 0 14px; }
.months a { display: block; padding: 3px 11px; border-radius: 13px; text-decoration: none; border: 1px solid var(--line); }
.months a[aria-current] { background: var(--deep); border-color: var(--deep); color: var(--paper); font-weight: 600; }
.scroll { overflow-x: auto; position: relative; } h3 { font-size: 14px; font-weight: 600; margin: 22px 0 6px; } .cards + .scroll, .cards + h3, .note + .scroll { margin-top: 16px; }
table { width: 100%; border-collapse: collapse; }
th { text-align: left; font-weight: 600; padding: 6px 14px 6px 0; vertical-align: top; }
td { padding: 6px 14px 6px 0; border-top: 1px solid var(--line); vertical-align: top; }
tbody th { font-weight: 400; border-top: 1px solid var(--line); }
thead th { font-size: 12px; color: var(--soft); vertical-align: bottom; }
tfoot td, tfoot th { border-top: 1px solid var(--ink); font-weight: 600; }
.n { text-align: right; white-space: nowrap; } th:last-child, td:last-child { padding-right: 0; }
figure { margin-top: 18px; } figcaption { font-size: 13px; margin-bottom: 6px; display: flex; justify-content: space-between; gap: 12px; }
figcaption b { color: var(--ink); font-weight: 600; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 40px; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font-size: 10.5px; fill: var(--soft); } svg .label { font-size: 12.5px; fill: var(--ink); } svg .value { font-size: 12px; fill: var(--ink); }
svg .grid { stroke: var(--line); stroke-width: 1; } svg .track { fill: var(--faint); }
svg .sponsored { fill: var(--deep); } svg .subscriber { fill: var(--pale); } svg .money { fill: var(--money); }
.key { display: inline-block; width: 9px; height: 9px; margin: 0 5px 0 12px; border-radius: 1px; }
.key.sponsored { background: var(--deep); } .key.subscriber { background: var(--pale); }
.meter { display: inline-block; width: 90px; height: 7px; border-radius: 4px; background: var(--pale); overflow: hidden; vertical-align: 1px; margin-left: 10px; }
.meter i { display: block; height: 100%; background: var(--deep); }
code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; font-size: 12.5px; }
pre { margin: 8px 0 0; padding: 10px 13px; background: var(--faint); border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; }
footer { margin-top: 40px; padding-top: 10px; border-top: 1px solid var(--line); color: var(--soft); font-size: 12px; }
details { margin-top: 12px; font-size: 13px; } summary { color: var(--soft); cursor: pointer; width: fit-content; } figure + .note { margin-top: 10px; } details caption { text-align: left; color: var(--soft); padding: 8px 0 4px; }
span[title] { white-space: nowrap; } h1 + nav { margin-top: 18px; } figure + .scroll, .pair + .scroll { margin-top: 16px; } .pair svg .label, .pair svg .value { font-size: 9.5px; }
.up { color: var(--money); } .down { color: var(--warn); }
@page { size: A4; margin: 14mm; }
@media print { :root { color-scheme: light; --ink: #16202c; --soft: #5b6875; --line: #d8dee5; --faint: #f4f6f8; --paper: #fff; --ground: #fff; --deep: #17496e; --pale: #b7cfe2; --money: #1d7a63; --warn: #8a4b08; --owed: #a3312a; }
  html, body { background: none; } body { max-width: none; padding: 0; font-size: 10.5px; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .skip, nav, details { display: none; } .scroll { overflow: visible; } figure, .card, tr, pre, .pair { break-inside: avoid; } h2, h3, thead, h2 + .note { break-after: avoid; } thead th, .note, .soft { font-size: 9.5px; } .card .amount { font-size: 19px; } a { color: inherit; text-decoration: none; } }
@media (max-width: 720px) { body { padding: 22px 18px; } .pair { display: block; } }
`;
