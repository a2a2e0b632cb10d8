import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe from 'axe-core';
import { drainPending } from 'chdb';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bookTwoMonths } from '../../../test/cli/booked-store.fixture.ts';
import { CHROMIUM } from '../../../test/servers/prerequisites.ts';
import { freePort } from '../../development/servers/free-port.ts';
import { migrate } from '../../journal/migrate.ts';
import { openEmbeddedStore } from '../../platform/clickhouse/embedded-store.ts';
import { packagePath } from '../../platform/package-paths.ts';
import { type ServedStore, serveStore } from './portal-server.ts';

const SCREENS = [
  [1180, 'light'],
  [1180, 'dark'],
  [390, 'light'],
] as const;

let directory: string;
let served: ServedStore;
let browser: Browser;
let page: Page;
let complaints: string[];

describe('in a browser', () => {
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'zerorate-pages-'));
    const store = await openEmbeddedStore(directory, { create: true });
    await migrate(store, packagePath('schemas/clickhouse'));
    await bookTwoMonths(store);
    await store.command(
      'INSERT INTO account_entries (number, idempotency_key, sponsor_id, currency, kind, amount_micros, effective_at, who, why) ' +
        "SELECT 9, 'k', '<b>&\"/..', 'USD', 'top-up', 1, '2026-10-01 00:00:00', '<script>alert(1)</script>', 'x'",
    );
    // The correction charges a record, too, that had no sponsor.
    await store.command(
      'INSERT INTO corrections (kind, number, lane, record_booked_on, topic, partition, offset, sponsor_id, application_id, plan_id, ' +
        'plan_version, period_start, start_time, reason, sponsored_octets, charge_micros, currency, uplink_octets, downlink_octets) ' +
        "SELECT 'charge', 1, 'flows-41-0', '2026-09-14', topic, partition, 999999, sponsor_id, application_id, plan_id, plan_version, " +
        "period_start, start_time, reason, 3000000, 5, currency, 1000000, 2000000 FROM corrections WHERE kind = 'charge' ORDER BY offset LIMIT 1",
    );
    await store.close();
    await drainPending();
    served = await serveStore(directory, 0);
    browser = await chromium.launch({ ...(CHROMIUM && { executablePath: CHROMIUM }), args: ['--no-sandbox'] });
  });
  afterAll(async () => {
    await browser?.close();
    await served?.stop();
    await rm(directory, { recursive: true });
  });
  beforeEach(async () => {
    page = await browser.newPage({ viewport: { width: 1180, height: 900 } });
    complaints = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
  });

  const texts = (selector: string) => page.locator(selector).allInnerTexts();
  const open = (path: string) => page.goto(`${served.url}${path}`);
  async function value(sql: string): Promise<string> {
    return (await (await fetch(served.url, { method: 'POST', body: sql })).text()).trim();
  }

  /** Returns the amounts of a table's column with all six decimals, in micro-units. */
  async function microsIn(caption: string, column: number): Promise<bigint[]> {
    const cells = page.getByRole('table', { name: caption, exact: true }).locator(`tbody tr > :nth-child(${column})`);
    const exact = await cells.evaluateAll((list) =>
      list.map((cell) => cell.querySelector('[title]')?.getAttribute('title') ?? cell.textContent ?? ''),
    );
    return exact.map((text) => BigInt(text.replace('−', '-').replaceAll(/[^-\d]/g, '')));
  }
  const sum = (list: readonly bigint[]) => String(list.reduce((total, each) => total + each, 0n));
  async function cardMicros(name: string): Promise<bigint> {
    const card = page.locator('.card', { has: page.locator('dt', { hasText: name }) });
    const exact = (await card.locator('.amount [title]').getAttribute('title')) ?? '';
    return BigInt(exact.replace('−', '-').replaceAll(/[^-\d]/g, ''));
  }

  test('the overview has every account, and leads to a sponsor and its months', async () => {
    await open('/?month=2026-09');
    expect((await texts('.card .name')).map((name) => name.split(/\s{2,}|\n/)[0])).toEqual(
      expect.arrayContaining(['Chatter', 'Lumen Video', 'Parley', 'Pigeon']),
    );
    expect(await texts('h2')).toEqual(['Accounts', 'Months', 'Usage of September 2026', 'Quotas', 'Plans']);
    await page.getByRole('link', { name: 'Lumen Video' }).click();
    expect(await page.title()).toBe('Lumen Video · zerorate');
    await page.locator('.months').getByRole('link', { name: 'September 2026' }).click();
    expect(await page.locator('[aria-current]').innerText()).toBe('September 2026');
    expect(await page.locator('svg[role=img]').count()).toBe(4);
    expect(complaints).toEqual([]);
  });

  test('a month’s figures equal those of the store, to the micro-unit', async () => {
    await open('/sponsors/lumen?month=2026-09');
    const lines = await microsIn('Charges by application and plan', 7);
    const booked = "SELECT sum(charge_micros) FROM booking_totals WHERE sponsor_id = 'lumen' AND month = '2026-09-01'";
    expect(sum(lines)).toBe(await value(booked));
    expect(lines).toHaveLength(4);
    await open('/?month=2026-09');
    expect(sum(await microsIn('Months, month against month', 5))).toBe(
      await value('SELECT sum(charge_micros) FROM booking_totals'),
    );
  });

  test('days are those of use, of a bulk load too, beside the days of booking', async () => {
    await open('/sponsors/lumen?month=2026-09');
    await page.getByText('Every day as a table').click();
    const days = await page
      .getByRole('table', { name: 'Usage and charge by day of use' })
      .locator('tbody th')
      .allInnerTexts();
    const asked =
      "SELECT DISTINCT toString(day_of_use) AS day FROM usage_by_day WHERE sponsor_id = 'lumen' AND month = '2026-09-01' ORDER BY day FORMAT TSV";
    expect(days).toEqual((await value(asked)).split('\n'));
    expect(days.length).toBeGreaterThan(20);
    expect(await page.locator('svg[aria-labelledby^="money-by-day"] g').count()).toBe(30);
    await expect(page.getByText('Days are in the time zone of the plan, Asia/Tokyo.').count()).resolves.toBe(1);
    await open('/days?month=2026-09');
    expect(sum(await microsIn('Usage and charge by day of use', 5))).toBe(
      sum(await microsIn('Usage and charge by day of booking', 5)),
    );
  });

  test('a sponsor’s page begins with the account figures, and it adds up to the balance', async () => {
    await open('/sponsors/chatter');
    const due = await cardMicros('Amount due');
    const owed = due + (await cardMicros('Not billed yet'));
    const balance = await cardMicros('Balance');
    expect(String(balance)).toBe(
      await value("SELECT balance_micros FROM account_balances WHERE sponsor_id = 'chatter'"),
    );
    expect(owed).toBe(balance < 0n ? -balance : 0n);
    expect(await cardMicros('Headroom to the credit limit')).toBe(5_000_000_000n + balance);
    expect(sum(await microsIn('Receivables by age, in USD', 2))).toBe(String(due));
  });

  test('leakage has all unsponsored octets, by reason', async () => {
    await open('/leakage?month=2026-09');
    const records = await microsIn('Traffic that is not sponsored, by reason and application', 4);
    const asked = "SELECT sum(records_not_sponsored) FROM batches WHERE toStartOfMonth(booking_date) = '2026-09-01'";
    expect(sum(records)).toBe(await value(asked));
    expect(records.length).toBeGreaterThan(2);
  });

  test('leakage says what corrections charge of it since', async () => {
    await open('/leakage?month=2026-09');
    const card = page.locator('.card', { has: page.locator('dt', { hasText: 'Sponsored since' }) });
    expect(await card.innerText()).toMatch(/2\.86 MiB\s+1 of these records/);
    await open('/leakage?month=2026-10');
    expect(await card.count()).toBe(0);
  });

  test('leakage names the networks, tags and gateways of the last day, beside the day before', async () => {
    await open('/leakage?month=2026-09');
    const caption = 'Networks, tags and gateways of traffic that is not sponsored';
    const groupsShown = await page.getByRole('table', { name: caption, exact: true }).locator('tbody tr').count();
    const day = "(SELECT max(booking_date) FROM leakage WHERE toStartOfMonth(booking_date) = '2026-09-01')";
    const groups = `SELECT uniqExact(reason, application_id, remote_prefix, tag, node_id) FROM leakage WHERE booking_date = ${day} AND NOT is_remainder`;
    expect(groupsShown).toBe(Math.min(25, Number(await value(groups))));
    expect(groupsShown).toBeGreaterThan(1);
  });

  test('the keyboard reaches the content, and shows where it is', async () => {
    await open('/');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.className')).toBe('skip');
    expect(await page.locator('.skip').evaluate((link) => link.getBoundingClientRect().left)).toBeGreaterThanOrEqual(0);
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('content');
    await page.keyboard.press('Tab');
    const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle');
    expect(outline).toBe('solid');
  });

  test('on paper there is no navigation, and dark mode is light', async () => {
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    await open('/sponsors/chatter');
    expect(await page.getByRole('navigation').count()).toBe(0);
    expect(await page.evaluate('getComputedStyle(document.body).color')).toBe('rgb(22, 32, 44)');
  });

  const PATHS = [
    '/',
    '/?month=2026-09',
    '/days?month=2026-09',
    '/leakage',
    '/sponsors/lumen?month=2026-10',
    '/sponsors/chatter',
    '/sponsors/unknown',
  ];

  test.each(PATHS)('%s fits a wide and a narrow screen, in light and dark, and axe finds nothing', async (path) => {
    for (const [width, colorScheme] of SCREENS) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      await open(path);
      const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      expect(overflow, `${width} ${colorScheme}`).toBeLessThanOrEqual(0);
      await page.evaluate(axe.source);
      const found: string[] = await page.evaluate(
        "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).slice(0, 3).join(' ')))",
      );
      expect(found, `${width} ${colorScheme}`).toEqual([]);
    }
    expect(complaints.filter((text) => !text.includes('404'))).toEqual([]);
  });

  test('content of the store is shown as text', async () => {
    await open('/');
    await page.getByRole('link', { name: '<b>&"/..' }).click();
    expect(await page.locator('h1').innerText()).toBe('<b>&"/..');
    expect(await texts('td')).toContain('<script>alert(1)</script>');
    expect(await page.locator('script').count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  test('an unknown sponsor, and a month without usage', async () => {
    expect((await open('/sponsors/unknown'))?.status()).toBe(404);
    expect(await page.locator('h1').innerText()).toBe('There is no such sponsor');
    await open('/?month=1999-01');
    expect(await page.locator('.months [aria-current]').innerText()).toBe('November 2026');
  });

  test('a page of another site gets nothing, neither by a script nor by an image or a frame', async () => {
    const port = await freePort();
    const other = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<p>other</p>'));
    other.listen(port, '127.0.0.1');
    try {
      await page.goto(`http://localhost:${port}/`);
      const query = `${served.url}/?query=${encodeURIComponent('SELECT 1 FORMAT CSV')}`;
      const script = `(async () => {
        const read = await fetch('${query}').then((r) => r.text(), (e) => String(e));
        const blind = await fetch('${query}', { mode: 'no-cors' }).then((r) => r.type, (e) => String(e));
        const image = await new Promise((resolve) => {
          const img = new Image();
          img.onload = () => resolve('loaded'); img.onerror = () => resolve('failed');
          img.src = '${query}';
        });
        return { read, blind, image };
      })()`;
      expect(await page.evaluate(script)).toEqual({
        read: expect.stringContaining('Failed to fetch'),
        blind: expect.stringContaining('Failed to fetch'),
        image: 'failed',
      });
      // A link of another site may lead to the pages.
      expect((await page.goto(served.url, { referer: `http://localhost:${port}/` }))?.status()).toBe(200);
    } finally {
      other.close();
    }
  });
});
