import { mkdtemp, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StoreError } from '../../platform/clickhouse/store.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import type { ReloadOutcome } from '../metrics/catalogue-metrics.ts';
import { chatCatalogue } from '../traffic.fixture.ts';
import { CatalogueReload } from './catalogue-reload.ts';
import { compileCatalogue, packCounts } from './compile-catalogue.ts';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'zerorate-reload-'));
  path = join(directory, 'catalogue.yaml');
});
afterEach(() => rm(directory, { recursive: true }));

const FIRST = chatCatalogue();
/** Returns the catalogue as a file, changed; JSON is YAML. */
const text = (change: (json: string) => string = (json) => json) => change(FIRST.canonicalJson);

async function put(content: string): Promise<void> {
  await writeFile(`${path}.new`, content);
  await rename(`${path}.new`, path);
}

interface Options {
  reloadIntervalMs?: number;
  take?: (catalogue: Catalogue) => Promise<void>;
  refusals?: (catalogue: Catalogue) => Promise<readonly string[]>;
}

function reloading(options: Options = {}) {
  const outcomes: ReloadOutcome[] = [];
  const taken: Catalogue[] = [];
  const lines: string[] = [];
  const timers: (() => void)[] = [];
  const logger = {
    info: (_fields: object, message: string) => lines.push(message),
    error: (_fields: object, message: string) => lines.push(message),
  };
  const reload = new CatalogueReload<Catalogue>({
    path,
    catalogue: FIRST,
    counted: packCounts(FIRST),
    reloadIntervalMs: options.reloadIntervalMs ?? 0,
    compile: compileCatalogue,
    ...(options.refusals !== undefined && { refusals: options.refusals }),
    take: options.take ?? (async (catalogue) => void taken.push(catalogue)),
    onReloaded: (outcome) => outcomes.push(outcome),
    clock: {
      after(_ms, call) {
        timers.push(call);
        return () => timers.splice(timers.indexOf(call), 1);
      },
    },
    logger,
  });
  /** Checks the file again; resolves when that is done. */
  const look = async () => {
    timers.shift()?.();
    while (timers.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  return { reload, outcomes, taken, lines, timers, look };
}

test('a valid file is taken over, an unchanged one is not, and a faulty one is refused with its reasons', async () => {
  const { reload, outcomes, taken, lines } = reloading();
  await put(text());
  await reload.reload();
  await put(text((json) => json.replace('"0.05"', '"0.06"')));
  await reload.reload();
  await put('sponsors: [');
  await reload.reload();
  await put(text((json) => json.replace('"chatter","name"', '"other","name"').replace('"0.05"', '0.05')));
  await reload.reload();
  await unlink(path);
  await reload.reload();
  expect(outcomes).toEqual(['unchanged', 'taken', 'refused', 'refused', 'refused']);
  expect(taken).toHaveLength(1);
  expect(lines[2]).toMatch(/not taken over, the previous one stays in use: .*catalogue\.yaml:1: not valid YAML/);
  expect(lines[3]).toMatch(/catalogue\.yaml:1: /);
  expect(lines[4]).toMatch(/catalogue\.yaml: cannot be read: ENOENT/);
});

test('a catalogue whose claims get dates, or other dates, is taken over', async () => {
  const { reload, outcomes, taken } = reloading();
  const ending = (month: string) =>
    text((json) => json.replace('"tags":["CHAT"]', `"tags":[{"tag":"CHAT","to":"2026-${month}-01T00:00:00Z"}]`));
  for (const content of [ending('03'), ending('03'), ending('06'), text()]) {
    await put(content);
    await reload.reload();
  }
  expect(outcomes).toEqual(['taken', 'unchanged', 'taken', 'taken']);
  const ends = taken.map(({ applications }) => applications[0].tags);
  const claim = (toMs: number) => [{ text: 'CHAT', fromMs: Number.NEGATIVE_INFINITY, toMs }];
  expect(ends).toEqual([claim(Date.UTC(2026, 2)), claim(Date.UTC(2026, 5)), ['CHAT']]);
});

test('a plan keeps its period and time zone, also over a catalogue without it', async () => {
  const { reload, outcomes, lines } = reloading();
  const renamed = (json: string) => json.replaceAll('chat-daily', 'chat-other');
  await put(text(renamed));
  await reload.reload();
  await put(text((json) => json.replace('"period":"day"', '"period":"week"')));
  await reload.reload();
  expect(outcomes).toEqual(['taken', 'refused']);
  expect(lines[1]).toMatch(/plans\[0\]\.period: week differs from day/);
});

test('a sponsor keeps its currency, and what the accounts refuse is not taken over', async () => {
  let refusals: readonly string[] = [];
  const { reload, outcomes, lines } = reloading({ refusals: async () => refusals });
  await put(text((json) => json.replace('"currency":"USD"', '"currency":"EUR"')));
  await reload.reload();
  refusals = ['its account is in JPY'];
  await put(text((json) => json.replace('"0.05"', '"0.06"')));
  await reload.reload();
  refusals = [];
  await reload.reload();
  expect(outcomes).toEqual(['refused', 'refused', 'taken']);
  expect(lines[0]).toMatch(/sponsor \w+ has EUR in the catalogue, and its account is in USD/);
  expect(lines[1]).toContain('its account is in JPY');
});

test('a file is read when it has changed since the last look', async () => {
  const { reload, outcomes, look } = reloading({ reloadIntervalMs: 50 });
  await put(text());
  reload.start();
  await look();
  await look();
  expect(outcomes).toEqual(['unchanged']);
  await put(text((json) => json.replace('"0.05"', '"0.06"')));
  await look();
  await put('sponsors: [');
  await look();
  await look();
  expect(outcomes).toEqual(['unchanged', 'taken', 'refused']);
  await reload.stop();
});

test('a part that comes, changes or goes is a change of the catalogue', async () => {
  const { reload, outcomes, taken, look } = reloading({ reloadIntervalMs: 50 });
  const [chat] = FIRST.applications;
  const part = join(directory, 'part.yaml');
  const putPart = (prefix: string) =>
    writeFile(part, `{ application: ${chat.id}, feed: f, fetchedAt: 2026-01-01T00:00:00Z, prefixes: [${prefix}] }`);
  await put(text((json) => json.replace('"prefixes":', '"prefixFiles":["part.yaml"],"prefixes":')));
  reload.start();
  await look();
  await putPart('192.0.2.0/24');
  await look();
  await look();
  await putPart('192.0.2.0/25');
  await look();
  await putPart('192.0.2.0/33');
  await look();
  await unlink(part);
  await look();
  await look();
  expect(outcomes).toEqual(['refused', 'taken', 'taken', 'refused', 'refused']);
  expect(taken.map(({ applications }) => applications[0].prefixes.at(-1))).toEqual(['192.0.2.0/24', '192.0.2.0/25']);
  await reload.stop();
});

test('a catalogue that the store did not keep is tried again at the next look', async () => {
  let isDown = true;
  const take = async () => {
    if (isDown) throw new StoreError('store_unreachable', 'down', { canRetry: true });
  };
  const { reload, outcomes, look } = reloading({ reloadIntervalMs: 50, take });
  await put(text((json) => json.replace('"0.05"', '"0.06"')));
  reload.start();
  await look();
  isDown = false;
  await look();
  await look();
  expect(outcomes).toEqual(['failed', 'taken']);
  await reload.stop();
});

test('after stop nothing is taken over', async () => {
  const { reload, outcomes, timers } = reloading({ reloadIntervalMs: 50 });
  await put(text((json) => json.replace('"0.05"', '"0.06"')));
  reload.start();
  await reload.stop();
  await reload.reload();
  expect([outcomes, timers]).toEqual([[], []]);
});
