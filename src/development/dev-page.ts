import { PAGE_STYLE } from '../platform/http/page-style.ts';

const STYLE = `${PAGE_STYLE}
.terminals { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 22px; margin-top: 20px; }
.terminal { background: var(--faint); border-radius: 8px; padding: 16px 18px; min-width: 0; }
.terminal h2 { margin: 0; border: 0; padding: 0; display: flex; justify-content: space-between; gap: 8px; align-items: baseline; }
.terminal dl { display: grid; grid-template-columns: auto 1fr; gap: 2px 14px; margin: 10px 0; } .terminal dt { color: var(--soft); } .terminal dd { text-align: right; }
.terminal form { display: flex; gap: 6px; margin: 10px 0 6px; } input { flex: 1; min-width: 0; font: inherit; padding: 5px 8px; border: 1px solid var(--line); border-radius: 5px; background: var(--paper); color: inherit; }
button { font: inherit; padding: 5px 11px; border: 1px solid var(--deep); border-radius: 5px; background: var(--paper); color: var(--deep); cursor: pointer; } button:disabled { opacity: .5; }
.buttons { display: flex; flex-wrap: wrap; gap: 6px; } .log { list-style: none; margin: 6px 0 0; padding: 0; font-size: 13px; max-height: 260px; overflow: auto; }
.log li { padding: 4px 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; } .log small { color: var(--soft); } h3 { margin-top: 14px; }
#fault { color: var(--owed); min-height: 1.5em; }
`;

/** The page of `zerorate dev`, whole: it asks for `/state` once a second. */
export function devPage(): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>zerorate dev</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<p class="kicker">zerorate dev</p><h1>Two terminals of <span id="application">an application</span></h1>
<p class="note">Octets of a session are the sponsor’s until the quota is used up; then messages go direct, at the subscriber’s cost. Records are charged
some seconds after their octets have passed.</p>
<p id="fault" role="status"></p>
<div class="terminals" id="terminals"></div>
<section><h2>Octets by terminal and way</h2><div class="scroll"><table>
<thead><tr><th>Terminal</th><th>Way</th><th class="n">Uplink octets</th><th class="n">Downlink octets</th></tr></thead><tbody id="ways"></tbody></table></div></section>
<section><h2>Charged</h2><p class="note">What the engine has booked of the flow records that the gateway wrote.</p><div class="scroll"><table>
<thead><tr><th>Terminal</th><th class="n">Records</th><th class="n">Sponsor’s octets</th><th class="n">Subscriber’s octets</th><th class="n">Charge to the sponsor</th></tr></thead><tbody id="charges"></tbody></table></div></section>
<section><h2>Flow records by outcome</h2><div class="scroll"><table>
<thead><tr><th>Application</th><th>Reason</th><th class="n">Records</th><th class="n">Octets</th></tr></thead><tbody id="outcomes"></tbody></table></div></section>
<section><h2>Programs</h2><div class="scroll"><table>
<thead><tr><th>Program</th><th>Process id</th><th>Log</th></tr></thead><tbody id="programs"></tbody></table></div></section>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

/** Texts of peers are set as text, never as markup. */
const SCRIPT = String.raw`
const UNITS = ['octets', 'KiB', 'MiB', 'GiB'];
const MEBIBYTE = 1048576;
const grouped = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, '\u202f');
const octets = (count) => {
  let value = count, unit = 0;
  while (value >= 1024 && unit < 3) { value /= 1024; unit++; }
  return unit === 0 ? grouped(count) + ' octets' : value.toFixed(2) + ' ' + UNITS[unit] + ' (' + grouped(count) + ' octets)';
};
const money = ({ chargeMicros, currency }) => {
  const digits = chargeMicros.replace('-', '').padStart(7, '0');
  return currency + ' ' + (chargeMicros.startsWith('-') ? '−' : '') + digits.slice(0, -6) + '.' + digits.slice(-6);
};
const time = (ms) => new Date(ms).toISOString().slice(11, 19);
const make = (tag, text, name) => {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
};
const row = (cells) => {
  const made = make('tr');
  cells.forEach((cell, at) => made.append(make(at === 0 ? 'th' : 'td', String(cell), typeof cell === 'number' || /^[A-Z]{3} −?\d/.test(cell) ? 'n' : '')));
  return made;
};
const rows = (id, list, empty) => {
  const shown = list.map((cells) => row(cells.map((cell) => (typeof cell === 'number' ? cell : cell))));
  for (const each of shown) for (const cell of each.querySelectorAll('.n')) if (/^\d+$/.test(cell.textContent)) cell.textContent = grouped(cell.textContent);
  document.getElementById(id).replaceChildren(...(shown.length ? shown : [row([empty])]));
};
const fault = (text) => { document.getElementById('fault').textContent = text; };
const cards = new Map();

async function act(body, button) {
  button.disabled = true;
  try {
    const response = await fetch('/actions', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    if (!response.ok) fault((await response.json()).message);
  } catch (error) { fault(String(error)); } finally { button.disabled = false; }
  await refresh();
}

function card(account) {
  if (cards.has(account)) return cards.get(account);
  const section = make('section', undefined, 'terminal');
  section.setAttribute('aria-label', 'Terminal of ' + account);
  const title = make('h2', account), badge = make('span', '', 'badge');
  title.append(badge);
  const facts = make('dl');
  const form = make('form'), input = make('input'), send = make('button', 'Send text');
  input.placeholder = 'A text to the other terminal';
  input.setAttribute('aria-label', 'Text from ' + account);
  form.append(input, send);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (text !== '') act({ action: 'text', from: account, text }, send).then(() => { input.value = ''; });
  });
  const buttons = make('div', undefined, 'buttons');
  const picture = make('button', 'Send a picture, 200 KiB'), upload = make('button', 'Upload 4 MiB to the media host');
  picture.addEventListener('click', () => act({ action: 'file', from: account, name: 'picture.jpg', octets: 204800 }, picture));
  upload.addEventListener('click', () => act({ action: 'upload', from: account, octets: 4 * MEBIBYTE }, upload));
  buttons.append(picture, upload);
  const messages = make('ul', undefined, 'log'), events = make('ul', undefined, 'log');
  section.append(title, facts, form, buttons, make('h3', 'Messages'), messages, make('h3', 'Session'), events);
  document.getElementById('terminals').append(section);
  const made = { badge, facts, messages, events };
  cards.set(account, made);
  return made;
}

function show(terminal) {
  const { account, msisdn, address, status, messages, events } = terminal;
  const parts = card(account);
  const isSponsored = status.proxyId !== null;
  parts.badge.textContent = isSponsored ? 'session at ' + status.proxyId : 'no session: ' + (status.reason ?? 'none yet');
  parts.badge.className = 'badge ' + (isSponsored ? 'good' : 'bad');
  const facts = [
    ['number, address', msisdn + ', ' + address],
    ['remaining quota', status.remainingOctets === null ? (isSponsored ? 'no limit' : 'not known') : octets(status.remainingOctets)],
    ['of this session', isSponsored ? octets(status.usedSponsoredOctets) + ' of ' + octets(status.sponsoredOctetsCap) : 'none'],
  ];
  parts.facts.replaceChildren(...facts.flatMap(([name, value]) => [make('dt', name), make('dd', value)]));
  parts.messages.replaceChildren(...messages.map((message) => {
    const line = make('li', (message.direction === 'sent' ? 'to ' : 'from ') + message.peer + ': ' + message.text + ' ');
    line.append(make('small', time(message.atMs) + (message.delivery ? ', ' + message.delivery : '')));
    return line;
  }));
  parts.events.replaceChildren(...events.slice(0, 5).map(({ atMs, text }) => {
    const line = make('li', text + ' ');
    line.append(make('small', time(atMs)));
    return line;
  }));
}

async function refresh() {
  let state;
  try {
    const response = await fetch('/state');
    if (!response.ok) throw new Error((await response.json()).message);
    state = await response.json();
  } catch (error) {
    return fault('zerorate dev does not answer: ' + error.message);
  }
  const ended = state.programs.filter(({ isRunning }) => !isRunning);
  fault(state.storeFault ?? ended.map(({ name, logFile }) => name + ' has ended: see ' + logFile).join('; '));
  document.getElementById('application').textContent = state.application;
  for (const terminal of state.terminals) show(terminal);
  const WAYS = { proxy: 'by the proxy', direct: 'direct', control: 'to the dispatch server' };
  rows('ways', state.terminals.flatMap(({ account, octets }) => Object.entries(octets).map(([way, { uplinkOctets, downlinkOctets }]) => [account, WAYS[way] ?? way, uplinkOctets, downlinkOctets])), 'none yet');
  rows('charges', state.terminals.flatMap(({ account, charged }) => charged ? [[account, charged.records, charged.sponsoredOctets, charged.subscriberOctets, money(charged)]] : []), 'nothing is charged yet');
  rows('outcomes', state.outcomes.map(({ applicationId, reason, records, octets }) => [applicationId || 'none', reason, records, octets]), 'no records yet');
  rows('programs', state.programs.map(({ name, pid, logFile }) => [name, 'process ' + (pid ?? 'none'), logFile]), 'none');
}
refresh();
setInterval(refresh, 1000);
`;
