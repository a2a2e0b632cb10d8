import { describe, expect, test } from 'vitest';
import { TEST_INVOICE, testLine, testStatement, testTerms } from './statement.fixture.ts';
import { statementHtml } from './statement-html.ts';

/** Returns the visible text, without the space that groups digits. */
function textOf(page: string): string {
  return page
    .replace(/<style>[\s\S]*<\/style>/, '')
    .replaceAll(/<[^>]+>/g, '')
    .replaceAll('\u2009', '');
}

const empty = { lines: [], corrections: [], entries: [], byDay: [], byApplication: [], byContentType: [] };

test('the total, the balance and every section are there', () => {
  const page = statementHtml(testStatement());
  const text = textOf(page);
  expect(text).toContain('Amount due\n0.00USD');
  expect(text).toContain('10.500006 USD charged, before rounding');
  expect(text).toContain('Total, rounded10.50Paid ahead, and other entries−10.50Amount due, USD0.00');
  expect(text).toContain('7.50 USD in credit');
  expect(text).toContain('Losses of the source1Noted on 2026-10-03 (records_lost)');
  expect(page).toContain(testStatement().proof.merkleRoot);
  const titles = [...page.matchAll(/<h2[^>]*>([^<]+)/g)].map(([, title]) => title);
  expect(titles).toEqual([
    'Amount due',
    'Charges',
    'Usage of the month',
    'Adjustments',
    'Corrections',
    'Account',
    'Completeness',
    'Proof',
  ]);
});

test('text from a sponsor or an accountant is text, never markup', () => {
  const page = statementHtml(testStatement());
  expect(page).toContain('Chatter &amp; &lt;sons&gt;');
  expect(page).toContain('agreed &quot;again&quot;, &lt;b&gt;');
  expect(page).not.toMatch(/<sons>|again", <b>/);
});

test('it needs no other file', () => {
  const page = statementHtml(testStatement());
  expect(page).not.toMatch(/https?:|src=|url\(|@import|<script|<link/);
});

test('it is well-formed: every element is closed, every id is its own, every label has its target', () => {
  for (const page of [statementHtml(testStatement()), statementHtml(testStatement(empty))]) {
    const open: string[] = [];
    const body = page.replace(/<style>[\s\S]*<\/style>/, '');
    for (const [, slash, name, rest] of body.matchAll(/<(\/?)([a-z][a-z0-9]*)([^>]*)>/gi)) {
      if (slash === '/') expect(open.pop()).toBe(name);
      else if (!rest.endsWith('/') && name !== 'meta') open.push(name);
    }
    expect(open).toEqual([]);
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, labels] of page.matchAll(/aria-labelledby="([^"]+)"/g)) {
      for (const label of labels.split(' ')) expect(ids).toContain(label);
    }
  }
});

test('a chart has a column for each day of the month, those without usage too, and describes each day in words', () => {
  const page = statementHtml(testStatement());
  const [octets] = page.match(/<svg[^>]*aria-labelledby="octets-by-day-title[\s\S]*?<\/svg>/) ?? [''];
  expect(octets.match(/<g>/g)).toHaveLength(31);
  expect(textOf(octets)).toContain('2026-10-04: 6.00 MiB, of which sponsored 5.00 MiB');
  expect(page.match(/role="img"/g)).toHaveLength(6);
  for (const [, value] of page.matchAll(/ (?:x|y|width|height)="([^"]*)"/g))
    expect(Number(value)).toBeGreaterThanOrEqual(0);
});

describe('days of use', () => {
  const usage = { sponsoredOctets: 1_048_576n, subscriberOctets: 0n, chargeMicros: 2_000_000n };

  test('of a bulk load are each in place, and the time zone is named', () => {
    const page = statementHtml(testStatement());
    const [money] = page.match(/<svg[^>]*aria-labelledby="money-by-day-title[\s\S]*?<\/svg>/) ?? [''];
    expect(money.match(/<rect [^>]*height="(?!0")/g)).toHaveLength(2);
    expect(textOf(page)).toContain('Days are in the time zone of the plan, America/Los_Angeles.');
    expect(textOf(page)).not.toContain('Not on the axis');
  });

  test('of other months are given in words and numbers, without a column', () => {
    const byDay = [{ day: '2026-10-31', ...usage }, ...['2026-11-01', '2026-11-02'].map((day) => ({ day, ...usage }))];
    const page = statementHtml(testStatement({ byDay }));
    const [octets] = page.match(/<svg[^>]*aria-labelledby="octets-by-day-title[\s\S]*?<\/svg>/) ?? [''];
    expect(octets.match(/<g>/g)).toHaveLength(31);
    expect(textOf(page)).toContain(
      'Not on the axis: 2 days of other months (2026-11-01 to 2026-11-02), in statistics periods that begin in this one: ' +
        '2.00 MiB sponsored, 0 octets subscribers’, 4.000000 USD.',
    );
  });

  test('on which more was reversed than charged are named', () => {
    const page = statementHtml(testStatement({ byDay: [{ day: '2026-10-04', ...usage, chargeMicros: -1_500_000n }] }));
    expect(textOf(page)).toContain(
      'Without a column: 1 day on which corrections took back more than was charged, −1.500000 USD',
    );
  });

  test('of plans in several zones name each', () => {
    const zone = (planId: string, timeZone: string) => ({ planId, planVersion: 1, timeZone });
    const timeZones = [zone('a', 'Asia/Tokyo'), zone('b', 'UTC'), zone('c', 'Asia/Tokyo')];
    expect(textOf(statementHtml(testStatement({ timeZones })))).toContain(
      'Days are in the time zone of each plan: Asia/Tokyo (a, c); UTC (b).',
    );
  });
});

test('an invoice has its number, dates, parties, tax and one amount due', () => {
  const page = statementHtml(testStatement({ invoice: TEST_INVOICE, openingMicros: -26_000_000n }));
  const text = textOf(page);
  expect(page).toContain('<title>Invoice ZR-000017 · Statement 2026-10');
  expect(text).toContain('Amount due by 2026-12-02\n12.50USD');
  expect(text).toContain('Taxable amount, rounded10.50Tax (S, 19 %)2.00Total with tax12.50Amount due, USD12.50');
  expect(page).toContain('Chatter &amp; &lt;sons&gt; Ltd.');
  expect(text).toContain('DE02120300000000202051 · BYLADEM1001');
  expect(text).toContain('Tax (S, 19 %)−2.000000Rounding0.000006');
});

test('a month that was closed without rounding has its total, and no amount due', () => {
  const text = textOf(statementHtml(testStatement({ due: null })));
  expect(text).toContain('Total for October 2026\n10.50USD');
  expect(text).not.toContain('Amount due');
});

describe('other months', () => {
  test('an open one says so', () => {
    const page = statementHtml(testStatement({ closing: null, isClosed: false, isOpeningFinal: false }));
    expect(page).toContain('Open · may still change');
    expect(page).toContain('may change: an earlier month is open');
  });

  test('one without anything has no adjustments, no corrections and no chart', () => {
    const page = statementHtml(testStatement(empty));
    expect(page).toContain('Nothing was charged for usage of this month.');
    expect(page).toContain('Nothing was used in this month.');
    expect(page).not.toMatch(/<svg|id="adjustments"|id="corrections"/);
  });

  test('a currency without decimals is shown without them', () => {
    const sponsor = { id: 'lumen', name: 'Lumen', currency: 'JPY', minorDigits: 0 };
    const lines = [testLine({ chargeMicros: 13_181_500_000n })];
    const statement = testStatement({ sponsor, lines, corrections: [] });
    const text = textOf(statementHtml(statement));
    expect(text).toContain('13164JPY');
    expect(text).toContain('Total, rounded13182');
  });
});

test('monthly terms have a section, are in the account once the month is closed, and in the amount due', () => {
  const monthlyTerms = testTerms(10_500_006n);
  const text = textOf(statementHtml(testStatement({ monthlyTerms, openingMicros: 0n, entries: [] })));
  expect(text).toContain('Fees, commitments and rebates');
  expect(text).toContain('chatter-2026 version 2');
  expect(text).toContain(
    '2.5 % from 1048576 octets of all charges, by the highest band reached; 6291456 octets, charged 10.500006',
  );
  expect(text).toContain('committed 50.000000, charged after rebates 10.237506');
  expect(text.match(/Shortfall to the minimum commitment−39.762494/g)).toHaveLength(2);
  expect(text).toContain('Amount due\n55.00USD');
  const open = { isClosed: false, closing: null };
  const openText = textOf(statementHtml(testStatement({ monthlyTerms, openingMicros: 0n, entries: [], ...open })));
  expect(openText).not.toContain('Shortfall to the minimum commitment−');
  expect(textOf(statementHtml(testStatement()))).not.toContain('commitment');
});
