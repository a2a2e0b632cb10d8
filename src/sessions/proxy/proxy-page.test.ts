import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { packagePath } from '../../platform/package-paths.ts';
import { PROXY_REFUSALS, REPORT_REFUSALS } from '../protocol/refusal.ts';
import { LINGER_MS, LINGER_OCTETS } from './linger.ts';
import { BUFFER_OCTETS } from './listener.ts';
import { DATAGRAM_DROPS } from './udp/datagram-drops.ts';

const page = readFileSync(packagePath('docs/operate/proxy.md'), 'utf8');

test.each([
  ['refusals', PROXY_REFUSALS],
  ['report-refusals', REPORT_REFUSALS],
])('the page lists the %s in the order in which they are looked at', (name, refusals) => {
  const rows = Object.entries(refusals).map(([reason, meaning]) => `| \`${reason}\` | ${meaning} |`);
  const table = ['| reason | meaning |', '|---|---|', ...rows].join('\n');
  expect(page).toContain(`<!-- ${name} -->\n\n${table}\n\n<!-- /${name} -->`);
});

test('the page lists why datagrams are dropped', () => {
  const rows = Object.entries(DATAGRAM_DROPS).map(([reason, meaning]) => `| \`${reason}\` | ${meaning} |`);
  const table = ['| reason | meaning |', '|---|---|', ...rows].join('\n');
  expect(page).toContain(`<!-- drops -->\n\n${table}\n\n<!-- /drops -->`);
});

test('the page states the bounds that the proxy has', () => {
  expect(page).toContain(
    `${LINGER_OCTETS / 1024} KiB and one read that are read and discarded for at most ${LINGER_MS / 1000} s`,
  );
  expect(page).toContain(`${BUFFER_OCTETS / 1024} KiB for each direction`);
});
