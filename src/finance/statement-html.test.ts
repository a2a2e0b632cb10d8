import { describe, expect, test } from 'vitest';
import { testLine, testStatement } from './statement.fixture.ts';
import { statementHtml } from './statement-html.ts';

/** What a reader sees, without the space that groups digits. */
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
  expect(text).toContain('10.50USD');
  expect(text).toContain('10.500006 USD before rounding');
  expect(text).toContain('7.50 USD in credit');
  expect(text).toContain('Losses of the source1Noted on 2026-10-03 (records_lost)');
  expect(page).toContain(testStatement().proof.merkleRoot);
  const titles = [...page.matchAll(/<h2[^>]*>([^<]+)/g)].map(([, title]) => title);
  expect(titles).toEqual([
    'Charges',
    'Usage of the month',
    'Adjustments',
    'Corrections',
    'Account',
    'Completeness',
    'Proof',
  ]);
});

test('what a sponsor or a clerk wrote is text, never markup', () => {
  const page = statementHtml(testStatement());
  expect(page).toContain('Chatter &amp; &lt;sons&gt;');
  expect(page).toContain('agreed &quot;anew&quot;, &lt;b&gt;');
  expect(page).not.toMatch(/<sons>|anew", <b>/);
});

test('it needs nothing beside itself', () => {
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

test('a chart has a column for each day, those without usage too, and says each day in words', () => {
  const page = statementHtml(testStatement());
  const [octets] = page.match(/<svg[^>]*aria-labelledby="octets-by-day-title[\s\S]*?<\/svg>/) ?? [''];
  expect(octets.match(/<g>/g)).toHaveLength(4);
  expect(textOf(octets)).toContain('2026-10-04: 6.00 MiB, of which sponsored 5.00 MiB');
  expect(page.match(/role="img"/g)).toHaveLength(6);
  for (const [, value] of page.matchAll(/ (?:x|y|width|height)="([^"]*)"/g))
    expect(Number(value)).toBeGreaterThanOrEqual(0);
});

describe('other months', () => {
  test('an open one says so', () => {
    const page = statementHtml(testStatement({ closing: null, isClosed: false, isOpeningFinal: false }));
    expect(page).toContain('Open · may still change');
    expect(page).toContain('may change: a month before is open');
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
    statement.totals.total = '13182';
    expect(textOf(statementHtml(statement))).toContain('13182JPY');
  });
});
