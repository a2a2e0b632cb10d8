import type { IncomingMessage, ServerResponse } from 'node:http';
import { systemClock } from '../../platform/clock.ts';
import { daysPage } from './days-page.ts';
import { leakagePage } from './leakage-page.ts';
import { overviewPage } from './overview-page.ts';
import { PageData } from './page-data.ts';
import { nothing, page } from './page-parts.ts';
import type { ReadOnlyEngine } from './read-only-engine.ts';
import { sponsorPage } from './sponsor-page.ts';

const SPONSOR_PATH = /^\/sponsors\/([^/]+)$/;

/** Pages of a month. */
const MONTH_PAGES: Readonly<Record<string, (data: PageData, month: string | null) => Promise<string>>> = {
  '/': overviewPage,
  '/days': daysPage,
  '/leakage': leakagePage,
};

/**
 * Returns whether a request is a browser's for a page, and not a query of a ClickHouse client: those name a query, or accept
 * no HTML.
 */
export function isPage({ method, headers }: IncomingMessage, { pathname, searchParams }: URL): boolean {
  if (method === 'POST' || searchParams.has('query')) return false;
  return (
    SPONSOR_PATH.test(pathname) ||
    (pathname !== '/' && Object.hasOwn(MONTH_PAGES, pathname)) ||
    (pathname === '/' && String(headers.accept ?? '').includes('text/html'))
  );
}

export async function answerPage(engine: ReadOnlyEngine, url: URL, response: ServerResponse): Promise<void> {
  const data = new PageData(engine);
  const month = url.searchParams.get('month');
  const sponsorId = SPONSOR_PATH.exec(url.pathname)?.[1];
  response.setHeader('Content-Type', 'text/html; charset=UTF-8');
  response.setHeader('Cache-Control', 'no-store');
  try {
    const text =
      sponsorId === undefined
        ? await MONTH_PAGES[url.pathname](data, month)
        : await sponsorPage(data, decodeURIComponent(sponsorId), month, systemClock.nowMs());
    if (text === null) response.writeHead(404);
    response.end(text ?? fault('There is no such sponsor', 'The store has neither charges nor entries of it.'));
  } catch (error) {
    response
      .writeHead(500)
      .end(fault('The store did not answer', error instanceof Error ? error.message : String(error)));
  }
}

function fault(title: string, what: string): string {
  return page({ title }, nothing(what));
}
