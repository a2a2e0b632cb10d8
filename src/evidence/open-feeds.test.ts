import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { approveFeed, resumeApproval } from './approve-feed.ts';
import { loadCatalogue } from './catalogue-file.ts';
import { fetchFeed } from './fetch-feed.ts';
import { openFeeds } from './open-feeds.ts';

const FEEDS = { f1: 'a1', f2: 'a2', f3: 'a1' } as const;
type FeedId = keyof typeof FEEDS;
const NO_LIMITS =
  '{ prefixGrowthPercent: null, addressGrowthPercent: null, prefixShrinkPercent: null, addressShrinkPercent: null }';

let folder: string;
let now: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerorate-open-feeds-'));
  mkdirSync(path('evidence'));
  now = Date.UTC(2026, 2, 1);
  configure(Object.keys(FEEDS) as FeedId[]);
  name();
});
afterEach(() => rmSync(folder, { recursive: true }));

const path = (file: string) => join(folder, file);
const put = (file: string, text: string) => writeFileSync(path(file), text);
const publish = (feed: FeedId, ...networks: string[]) => put(`${feed}.txt`, `${networks.join('\n')}\n`);

function configure(feeds: readonly FeedId[], applications: Record<FeedId, string> = FEEDS): void {
  const lines = feeds.map(
    (id) =>
      `  - { id: ${id}, application: ${applications[id]}, form: cidr-list, source: { file: ${id}.txt }, guards: ${NO_LIMITS} }\n`,
  );
  put('evidence.yaml', `catalogue: catalogue.yaml\nfeeds:\n${lines.join('')}`);
}

/** Writes the catalogue, which names the parts of these feeds. */
function name(...feeds: readonly FeedId[]): void {
  const application = (id: string, prefixes = '') => {
    const parts = feeds.filter((feed) => FEEDS[feed] === id).map((feed) => `evidence/${feed}.yaml`);
    const naming = parts.length === 0 ? '' : `, prefixFiles: [${parts.join(', ')}]`;
    return `  - { id: ${id}, sponsor: s, match: any, tags: [], prefixes: [${prefixes}]${naming} }\n`;
  };
  const plan = (id: string) =>
    `  - { id: ${id}, application: ${id}, version: 1, effectiveFrom: 2020-01-01T00:00:00Z, effectiveTo: null, period: day, timeZone: UTC, ` +
    'content: { unknown: 10000 }, quotaOctets: null, notifyAt: [], tiers: [{ upToOctets: null, pricePerMiB: "1" }], latePolicy: adjust }\n';
  put(
    'catalogue.yaml',
    'sponsors: [{ id: s, name: S, currency: EUR, creditLimit: "1" }]\n' +
      `applications:\n${application('a1', '192.0.2.0/24')}${application('a2')}plans:\n${plan('a1')}${plan('a2')}`,
  );
}

/** Each command reads everything again. */
const open = (feed: FeedId) => {
  const { feeds, context } = openFeeds(path('evidence.yaml'), feed, () => now);
  return [feeds[0], context] as const;
};
async function fetching(id: FeedId) {
  const [feed, context] = open(id);
  return fetchFeed(feed, undefined, context);
}
async function approving(id: FeedId, fromMs?: number) {
  const [feed, context] = open(id);
  return approveFeed(feed, { by: 'anna', fromMs }, context);
}
const inForce = async (id: FeedId, ...networks: string[]) => {
  publish(id, ...networks);
  expect(await fetching(id)).toMatchObject({ kind: 'pending' });
  expect(await approving(id)).toMatchObject({ kind: 'in_force' });
};
const refusedBy = (guard: string, message: RegExp) => ({
  kind: 'refused',
  refusals: [{ guard, message: expect.stringMatching(message) }],
});
const isGood = () => expect(loadCatalogue(path('catalogue.yaml')).faults).toBeUndefined();

for (const isNamed of [false, true]) {
  const which = isNamed ? 'that the catalogue names' : 'that the catalogue does not name yet';

  test(`a list is compared with the parts of other applications ${which}`, async () => {
    await inForce('f1', '198.51.100.0/24');
    if (isNamed) name('f1');
    publish('f2', '198.51.100.128/25');
    expect(await fetching('f2')).toMatchObject(
      refusedBy('overlap', /^198\.51\.100\.128\/25 and 198\.51\.100\.0\/24 of application a1 \(feed f1\) share/),
    );
  });

  test(`one network of two feeds of an application is refused when it is fetched, of a part ${which}`, async () => {
    await inForce('f1', '198.51.100.0/24');
    if (isNamed) name('f1');
    publish('f3', '198.51.100.0/24', '203.0.113.0/24');
    expect(await fetching('f3')).toMatchObject(refusedBy('shared_prefix', /\(feed f1\) are one network of one app/));
    publish('f3', '192.0.2.0/24');
    expect(await fetching('f3')).toMatchObject(refusedBy('shared_prefix', /of application a1 are one network/));
    // Nested prefixes of one application are no fault.
    await inForce('f3', '198.51.100.128/25');
    name('f1', 'f3');
    isGood();
  });
}

test('lists that were fetched before either was in force are compared when they are approved', async () => {
  publish('f1', '198.51.100.0/24');
  publish('f2', '198.51.100.128/25');
  publish('f3', '198.51.100.0/24');
  for (const feed of ['f1', 'f2', 'f3'] as const) await fetching(feed);
  await approving('f1');
  expect(await approving('f2')).toMatchObject({ kind: 'refused', refusals: [{ guard: 'overlap' }] });
  expect(await approving('f3')).toMatchObject({ kind: 'refused', refusals: [{ guard: 'shared_prefix' }] });
});

test('the part of a feed that left the configuration counts as long as it is there', async () => {
  await inForce('f1', '198.51.100.0/24');
  configure(['f2', 'f3']);
  publish('f2', '198.51.100.0/24');
  expect(await fetching('f2')).toMatchObject(refusedBy('overlap', /\(feed f1\)/));
  rmSync(path('evidence/f1.yaml'));
  expect(await fetching('f2')).toMatchObject({ kind: 'pending' });
});

test('the catalogue may name a copy of a part: it is that part, and no list beside it', async () => {
  await inForce('f1', '198.51.100.0/24');
  const part = readFileSync(path('evidence/f1.yaml'), 'utf8');
  name('f1');
  put('f1.yaml', part);
  put('catalogue.yaml', readFileSync(path('catalogue.yaml'), 'utf8').replace('evidence/f1.yaml', 'f1.yaml'));
  await inForce('f1', '198.51.100.0/24', '203.0.113.0/24');
  expect(readFileSync(path('f1.yaml'), 'utf8')).toBe(part);
  publish('f2', '203.0.113.128/25');
  expect(await fetching('f2')).toMatchObject({ kind: 'refused', refusals: [{ guard: 'overlap' }] });
  rmSync(path('evidence/f1.yaml'));
  configure(['f2', 'f3']);
  expect(await fetching('f2')).toMatchObject({ kind: 'pending' });
  publish('f2', '198.51.100.128/25');
  expect(await fetching('f2')).toMatchObject({ kind: 'refused', refusals: [{ guard: 'overlap' }] });
});

test('a part that the catalogue does not name yet is checked as if it did', async () => {
  await inForce('f3', '198.51.100.0/24');
  publish('f3', '203.0.113.0/24');
  await fetching('f3');
  await approving('f3', now + 3_600_000);
  // It is in the catalogue, too, for a time that is part of the past when the next list is approved.
  now += 7_200_000;
  const dated = '{ cidr: 198.51.100.0/24, from: 2026-03-01T00:30:00Z, to: 2026-03-01T01:30:00Z }';
  put('catalogue.yaml', readFileSync(path('catalogue.yaml'), 'utf8').replace('192.0.2.0/24', dated));
  isGood();
  publish('f3', '203.0.113.0/24', '203.0.112.0/24');
  await fetching('f3');
  await expect(approving('f3')).rejects.toThrow(
    /catalogue\.yaml:3: applications\[0\]\.prefixes\[0\]\.from: prefix 198\.51\.100\.0\/24 .* overlaps .*f3\.yaml:8: /,
  );
});

test('a network moves between feeds of two applications at one instant', async () => {
  await inForce('f1', '198.51.100.0/24', '192.0.3.0/24');
  await inForce('f2', '203.0.113.0/24');
  name('f1', 'f2');
  publish('f2', '203.0.113.0/24', '198.51.100.0/24');
  expect(await fetching('f2')).toMatchObject({ kind: 'refused' });

  const instant = now + 3_600_000;
  publish('f1', '192.0.3.0/24');
  await fetching('f1');
  await approving('f1', instant);
  expect(await fetching('f2')).toMatchObject({ kind: 'pending', checked: { conflictsEndMs: instant } });
  const remedy =
    /until 2026-03-01T01:00:00Z share addresses: approve with --from 2026-03-01T01:00:00Z or a later time$/;
  expect(await approving('f2')).toMatchObject(refusedBy('overlap', remedy));
  expect(await approving('f2', instant - 1000)).toMatchObject({ kind: 'refused' });
  expect(await approving('f2', instant)).toMatchObject({ change: { effectiveFrom: '2026-03-01T01:00:00Z' } });
  isGood();
  expect(readFileSync(path('evidence/f1.yaml'), 'utf8')).toContain(
    '"198.51.100.0/24", from: 2026-03-01T00:00:00Z, to: 2026-03-01T01:00:00Z',
  );
  expect(readFileSync(path('evidence/f2.yaml'), 'utf8')).toContain('"198.51.100.0/24", from: 2026-03-01T01:00:00Z');
  // What is scheduled counts: the first feed cannot take it back.
  publish('f1', '192.0.3.0/24', '198.51.100.0/24');
  expect(await fetching('f1')).toMatchObject(refusedBy('overlap', /of application a2 \(feed f2\)/));
});

test('a feed that gets another application gives it nothing of the past: neither list nor part is used', async () => {
  const reassign = () => configure(['f1', 'f2', 'f3'], { ...FEEDS, f1: 'a2' });
  publish('f1', '198.51.100.0/24');
  await fetching('f1');
  reassign();
  await expect(approving('f1')).rejects.toThrow(
    /was fetched for application a1, and feed f1 is of a2 now: fetch again$/,
  );
  configure(['f1', 'f2', 'f3']);
  await approving('f1');
  const part = readFileSync(path('evidence/f1.yaml'), 'utf8');
  const refused =
    /f1\.yaml: is of feed f1 and application a1, and the configuration has feed f1 of application a2: .* a feed with another id/;
  for (const list of [['198.51.100.0/24'], ['198.51.100.0/24', '203.0.113.0/24']]) {
    reassign();
    publish('f1', ...list);
    for (const command of [fetching, approving]) await expect(command('f1')).rejects.toThrow(refused);
    configure(['f1', 'f2', 'f3']);
    await fetching('f1');
    reassign();
    await expect(approving('f1')).rejects.toThrow(refused);
  }
  expect(readFileSync(path('evidence/f1.yaml'), 'utf8')).toBe(part);
});

test('a list moves to another application under another feed, once the former part has ends', async () => {
  await inForce('f1', '198.51.100.0/24');
  name('f1');
  configure(['f2', 'f3']);
  const part = readFileSync(path('evidence/f1.yaml'), 'utf8');
  put('evidence/f1.yaml', part.replace(/(from: \S+) \}/g, '$1, to: 2026-03-01T01:00:00Z }'));
  publish('f2', '198.51.100.0/24');
  expect(await fetching('f2')).toMatchObject({ kind: 'pending' });
  expect(await approving('f2')).toMatchObject({ kind: 'refused' });
  expect(await approving('f2', Date.UTC(2026, 2, 1, 1))).toMatchObject({ kind: 'in_force' });
  name('f1', 'f2');
  isGood();
});

test('parts that are put in force in one process are compared with in the same one', async () => {
  publish('f1', '198.51.100.0/24');
  publish('f2', '198.51.100.0/24');
  const { feeds, context } = openFeeds(path('evidence.yaml'), undefined, () => now);
  for (const feed of feeds.slice(0, 2)) {
    await fetchFeed(feed, undefined, context);
    const pending = await context.files.readPending(feed.id);
    if (pending === null) throw new Error('no list waits');
    const at = '2026-03-01T00:00:00Z';
    await context.files.writePending({ ...pending, decidedAt: at, approvals: [{ by: 'anna', at }] });
  }
  expect(await resumeApproval(feeds[0], context)).toMatchObject({ kind: 'in_force' });
  expect(await resumeApproval(feeds[1], context)).toMatchObject({ kind: 'refused', refusals: [{ guard: 'overlap' }] });
});
