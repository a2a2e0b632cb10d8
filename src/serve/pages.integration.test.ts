import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drainPending } from 'chdb';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bookTwoMonths } from '../commands/booked-store.fixture.ts';
import { migrate } from '../journal/migrate.ts';
import { openEmbeddedStore } from '../platform/embedded-store.ts';
import { packagePath } from '../platform/package-paths.ts';
import { freePort } from '../testing/free-port.ts';
import { CHROMIUM } from '../testing/prerequisites.ts';
import { type ServedStore, serveStore } from './http-server.ts';

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

  test('the overview has every account, and leads to a sponsor and its months', async () => {
    await open('/?month=2026-09');
    expect((await texts('.card .name')).map((name) => name.split(/\s{2,}|\n/)[0])).toEqual(
      expect.arrayContaining(['Chatter', 'Lumen Video', 'Parley', 'Pigeon']),
    );
    expect(await texts('h2')).toEqual(['Accounts', 'Usage of September 2026', 'Quotas', 'Plans']);
    await page.getByRole('link', { name: 'Lumen Video' }).click();
    expect(await page.title()).toBe('Lumen Video · zerorate');
    await page.locator('.months').getByRole('link', { name: 'September 2026' }).click();
    expect(await page.locator('[aria-current]').innerText()).toBe('September 2026');
    expect(await page.locator('svg[role=img]').count()).toBe(4);
    expect(complaints).toEqual([]);
  });

  test('what it shows is what the store says, to the micro-unit', async () => {
    await open('/sponsors/lumen?month=2026-09');
    const shown = await page.locator('section').last().locator('tbody td:last-child').allInnerTexts();
    const micros = shown.map((text) => BigInt(text.replace('−', '-').replaceAll(/[^-\d]/g, '')));
    const sum = "SELECT sum(charge_micros) FROM booking_totals WHERE sponsor_id = 'lumen' AND month = '2026-09-01'";
    expect(String(micros.reduce((total, each) => total + each, 0n))).toBe(await value(sum));
    expect(shown).toHaveLength(4);
  });

  test.each(['/', '/?month=2026-09', '/sponsors/lumen?month=2026-10', '/sponsors/chatter', '/sponsors/nobody'])(
    '%s fits a wide and a narrow screen, in light and dark',
    async (path) => {
      for (const width of [1180, 390]) {
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.setViewportSize({ width, height: 900 });
          await page.emulateMedia({ colorScheme });
          await open(path);
          const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
          expect(overflow, `${width} ${colorScheme}`).toBeLessThanOrEqual(0);
        }
      }
      expect(complaints.filter((text) => !text.includes('404'))).toEqual([]);
    },
  );

  test('what the store holds is text, whatever it looks like', async () => {
    await open('/');
    await page.getByRole('link', { name: '<b>&"/..' }).click();
    expect(await page.locator('h1').innerText()).toBe('<b>&"/..');
    expect(await texts('td')).toContain('<script>alert(1)</script>');
    expect(await page.locator('script').count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  test('a sponsor that is not there, and a month without usage', async () => {
    expect((await open('/sponsors/nobody'))?.status()).toBe(404);
    expect(await page.locator('h1').innerText()).toBe('There is no such sponsor');
    await open('/?month=1999-01');
    expect(await page.locator('[aria-current]').innerText()).toBe('November 2026');
  });

  test('a page of another site gets nothing, neither by a script nor by an image or a frame', async () => {
    const port = await freePort();
    const other = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<p>other</p>'));
    other.listen(port, '127.0.0.1');
    try {
      await page.goto(`http://localhost:${port}/`);
      const question = `${served.url}/?query=${encodeURIComponent('SELECT 1 FORMAT CSV')}`;
      const script = `(async () => {
        const read = await fetch('${question}').then((r) => r.text(), (e) => String(e));
        const blind = await fetch('${question}', { mode: 'no-cors' }).then((r) => r.type, (e) => String(e));
        const image = await new Promise((resolve) => {
          const img = new Image();
          img.onload = () => resolve('loaded'); img.onerror = () => resolve('failed');
          img.src = '${question}';
        });
        return { read, blind, image };
      })()`;
      expect(await page.evaluate(script)).toEqual({
        read: expect.stringContaining('Failed to fetch'),
        blind: expect.stringContaining('Failed to fetch'),
        image: 'failed',
      });
      // Its own pages may be followed to by a link.
      expect((await page.goto(served.url, { referer: `http://localhost:${port}/` }))?.status()).toBe(200);
    } finally {
      other.close();
    }
  });
});
