import type { IncomingMessage, ServerResponse } from 'node:http';
import { html } from '../finance/html-text.ts';
import { overviewPage } from './overview-page.ts';
import { PageData } from './page-data.ts';
import { nothing, page } from './page-parts.ts';
import type { ReadOnlyEngine } from './read-only-engine.ts';
import { sponsorPage } from './sponsor-page.ts';

const SPONSOR_PATH = /^\/sponsors\/([^/]+)$/;

/** Whether a person's browser asks, and no client of ClickHouse's: those name a query, or want no HTML. */
export function isPage({ method, headers }: IncomingMessage, { pathname, searchParams }: URL): boolean {
  if (method === 'POST' || searchParams.has('query')) return false;
  return SPONSOR_PATH.test(pathname) || (pathname === '/' && String(headers.accept ?? '').includes('text/html'));
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
        ? await overviewPage(data, month)
        : await sponsorPage(data, decodeURIComponent(sponsorId), month);
    if (text === null) response.writeHead(404);
    response.end(text ?? fault('There is no such sponsor', 'The store has neither charges nor entries of it.'));
  } catch (error) {
    response
      .writeHead(500)
      .end(fault('The store did not answer', error instanceof Error ? error.message : String(error)));
  }
}

function fault(title: string, what: string): string {
  return page(
    title,
    html`<header><p class="kicker"><a href="/">Sponsored data</a></p><h1>${title}</h1></header>${nothing(what)}`,
  );
}
