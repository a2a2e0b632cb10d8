import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ConfigError } from '../platform/config/config-error.ts';
import { type ApprovalContext, approveFeed, resumeApproval } from './approve-feed.ts';
import type { ClaimedPrefix } from './claim-conflicts.ts';
import { evidenceConfigSchema, type Feed } from './evidence-config-schema.ts';
import { FeedFiles } from './feed-files.ts';
import { fetchFeed } from './fetch-feed.ts';
import { hashOf } from './pending-list.ts';

/** Without an end. */
const CLAIMED_BY_VIDEO: ClaimedPrefix = {
  ...{ prefix: '192.0.0.0/16', application: 'video', feed: null },
  ...{ fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY },
};

let folder: string;
let context: ApprovalContext;
let feed: Feed;
let now: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerorate-feeds-'));
  now = Date.UTC(2026, 2, 1);
  context = {
    files: new FeedFiles(folder),
    nowMs: () => now,
    needed: 1,
    claimedBeside: async () => [],
    checkCatalogue: () => {},
  };
  feed = feedOf({});
});
afterEach(() => rmSync(folder, { recursive: true }));

function feedOf(guards: object): Feed {
  const source = { file: join(folder, 'list.txt') };
  const feeds = [{ id: 'cdn', application: 'chat', form: 'cidr-list', source, guards }];
  return evidenceConfigSchema.parse({ catalogue: 'c', feeds }).feeds[0];
}

const publish = (...networks: string[]) => writeFileSync(join(folder, 'list.txt'), `${networks.join('\n')}\n`);
const fetching = (by?: string) => fetchFeed(feed, by, context);
const approving = (by: string, fromMs?: number) => approveFeed(feed, { by, fromMs }, context);
const files = () =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
const after = (minutes: number) => {
  now += minutes * 60_000;
};
const partLines = () =>
  (files()['cdn.yaml'] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('  - '))
    .map((line) => line.slice(4));

test('a list waits, is approved and is in force from then on; the next one ends what it lacks', async () => {
  publish('192.0.2.0/24', '198.51.100.0/24');
  expect(await fetching('cron')).toMatchObject({ kind: 'pending', isNew: true, isReplaced: false });
  expect(files()['cdn.yaml']).toBeUndefined();
  after(1);
  expect(await approving('anna')).toMatchObject({ kind: 'in_force' });
  expect(Object.keys(files()).sort()).toEqual(['cdn.yaml', 'evidence-log.ndjson', 'list.txt']);
  expect(partLines()).toEqual([
    '{ cidr: "192.0.2.0/24", from: 2026-03-01T00:01:00Z }',
    '{ cidr: "198.51.100.0/24", from: 2026-03-01T00:01:00Z }',
  ]);

  feed = feedOf({ prefixGrowthPercent: null, addressGrowthPercent: null, prefixShrinkPercent: 50 });
  publish('192.0.2.0/24', '203.0.113.0/24', '203.0.112.0/25');
  after(60);
  expect(await fetching()).toMatchObject({
    kind: 'pending',
    checked: { difference: { added: ['203.0.112.0/25', '203.0.113.0/24'], removed: ['198.51.100.0/24'] } },
  });
  await approving('ben', Date.UTC(2026, 2, 2));
  expect(partLines()).toEqual([
    '{ cidr: "192.0.2.0/24", from: 2026-03-01T00:01:00Z }',
    '{ cidr: "198.51.100.0/24", from: 2026-03-01T00:01:00Z, to: 2026-03-02T00:00:00Z }',
    '{ cidr: "203.0.112.0/25", from: 2026-03-02T00:00:00Z }',
    '{ cidr: "203.0.113.0/24", from: 2026-03-02T00:00:00Z }',
  ]);
  const log = files()
    ['evidence-log.ndjson'].trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(log).toHaveLength(2);
  expect(log[0]).toMatchObject({
    fetchedBy: 'cron',
    partBeforeSha256: null,
    added: ['192.0.2.0/24', '198.51.100.0/24'],
    removed: [],
  });
  expect(log[1]).toEqual({
    feed: 'cdn',
    application: 'chat',
    source: join(folder, 'list.txt'),
    sourceSha256: hashOf(files()['list.txt']),
    fetchedAt: '2026-03-01T01:01:00Z',
    approvals: [{ by: 'ben', at: '2026-03-01T01:01:00Z', from: '2026-03-02T00:00:00Z' }],
    effectiveFrom: '2026-03-02T00:00:00Z',
    added: ['203.0.112.0/25', '203.0.113.0/24'],
    removed: ['198.51.100.0/24'],
    before: { prefixes: 2, ipv4Addresses: '512', ipv6Addresses: '0' },
    after: { prefixes: 3, ipv4Addresses: '640', ipv6Addresses: '0' },
    partBeforeSha256: log[0].partSha256,
    partSha256: hashOf(files()['cdn.yaml']),
  });
});

test('each command again changes nothing', async () => {
  publish('192.0.2.0/24');
  await fetching('cron');
  const waiting = files();
  after(1);
  expect(await fetching('a second job')).toMatchObject({ kind: 'pending', isNew: false });
  expect(files()).toEqual(waiting);
  await approving('anna');
  const inForce = files();
  after(1);
  expect(await fetching()).toEqual({ kind: 'unchanged', isWithdrawn: false, notes: [] });
  expect(await approving('anna')).toMatchObject({ kind: 'nothing', last: { approvals: [{ by: 'anna' }] } });
  expect(files()).toEqual(inForce);
});

test('four eyes: two people approve, one person counts once under any spelling, and who fetches is no approval', async () => {
  context.needed = 2;
  publish('192.0.2.0/24');
  await fetching('Anna');
  expect(await approving('Anna')).toMatchObject({ kind: 'waiting', added: 'new' });
  const waiting = files();
  after(1);
  for (const name of ['Anna', 'anna', ' ANNA ']) {
    expect(await approving(name)).toMatchObject({ kind: 'waiting', added: 'repeated' });
  }
  expect(files()).toEqual(waiting);
  expect(await approving('Ben')).toMatchObject({
    kind: 'in_force',
    change: { approvals: [{ by: 'Anna' }, { by: 'Ben' }], effectiveFrom: '2026-03-01T00:01:00Z' },
  });
});

test('of several approvals the latest beginning counts, and none is in the past', async () => {
  context.needed = 2;
  publish('192.0.2.0/24');
  await fetching();
  await approving('anna', Date.UTC(2026, 2, 3));
  await expect(approving('ben', now - 1)).rejects.toThrow(
    /^--from \S+ is in the past: name a later time, or leave it out$/,
  );
  expect(await approving('ben', Date.UTC(2026, 2, 2))).toMatchObject({
    change: { effectiveFrom: '2026-03-03T00:00:00Z' },
  });
  now += 500;
  context.needed = 1;
  feed = feedOf({ prefixGrowthPercent: null, addressGrowthPercent: null });
  publish('192.0.2.0/24', '198.51.100.0/24');
  await fetching();
  // A second that has begun is past.
  expect(await approving('ben')).toMatchObject({ change: { effectiveFrom: '2026-03-01T00:00:01Z' } });
});

test('another list takes the place of the one that waits, with its approvals; the list in force withdraws it', async () => {
  publish('192.0.2.0/24');
  await fetching();
  await approving('anna');
  context.needed = 2;
  feed = feedOf({ prefixGrowthPercent: null, addressGrowthPercent: null });
  publish('192.0.2.0/24', '198.51.100.0/24');
  await fetching();
  await approving('anna');
  publish('192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24');
  expect(await fetching()).toMatchObject({
    kind: 'pending',
    isNew: true,
    isReplaced: true,
    pending: { approvals: [] },
  });
  publish('192.0.2.0/24');
  expect(await fetching()).toMatchObject({ kind: 'unchanged', isWithdrawn: true });
  expect(files()['cdn.pending.yaml']).toBeUndefined();
});

test('a list that is refused or damaged leaves the one in force and the one that waits', async () => {
  publish('192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '203.0.112.0/24');
  await fetching();
  await approving('anna');
  publish('192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24');
  await fetching();
  const before = files();
  delete before['list.txt'];
  publish('192.0.2.0/24');
  const refused = await fetching();
  expect(refused.kind === 'refused' && refused.refusals.map(({ guard }) => guard)).toEqual([
    'prefix_shrinkage',
    'address_shrinkage',
  ]);
  publish('no network');
  expect(await fetching()).toMatchObject({ kind: 'damaged' });
  expect(files()).toMatchObject(before);
});

test('a limit that the list exceeds by the time of its approval refuses that', async () => {
  publish('192.0.2.0/24');
  await fetching();
  const waiting = files();
  context.claimedBeside = async () => [CLAIMED_BY_VIDEO];
  expect(await approving('anna')).toMatchObject({ kind: 'refused', refusals: [{ guard: 'overlap' }] });
  context.claimedBeside = async () => [];
  context.checkCatalogue = ({ id }, text) => {
    expect([id, text]).toEqual(['cdn', expect.stringContaining('192.0.2.0/24')]);
    throw new ConfigError('catalogue.yaml:1: applications: a fault');
  };
  await expect(approving('anna')).rejects.toThrow('a fault');
  expect(files()).toEqual(waiting);
});

test('a part that was changed since the fetch is not approved', async () => {
  publish('192.0.2.0/24');
  await fetching();
  writeFileSync(
    join(folder, 'cdn.yaml'),
    'application: chat\nfeed: cdn\nfetchedAt: 2026-01-01T00:00:00Z\nprefixes: [198.51.100.0/24]\n',
  );
  await expect(approving('anna')).rejects.toThrow(/cdn\.yaml: has changed since the list was fetched .* fetch again$/);
  // A part that a person wrote is where the next list begins: what it has is in force since ever.
  feed = feedOf({ prefixShrinkPercent: 100, addressShrinkPercent: 100 });
  await fetching();
  await approving('anna');
  expect(partLines()).toEqual([
    '{ cidr: "192.0.2.0/24", from: 2026-03-01T00:00:00Z }',
    '{ cidr: "198.51.100.0/24", to: 2026-03-01T00:00:00Z }',
  ]);
});

test('a log line that a crash cut off is written again, and a damaged one is refused by line', async () => {
  publish('192.0.2.0/24');
  await fetching();
  await approving('anna');
  appendFileSync(join(folder, 'evidence-log.ndjson'), '{"feed":"cdn","appl');
  feed = feedOf({ prefixGrowthPercent: null, addressGrowthPercent: null });
  publish('192.0.2.0/24', '198.51.100.0/24');
  await fetching();
  after(1);
  await approving('ben');
  expect(await context.files.readLog()).toMatchObject([
    { approvals: [{ by: 'anna' }] },
    { approvals: [{ by: 'ben' }] },
  ]);
  appendFileSync(join(folder, 'evidence-log.ndjson'), '{"feed":"cdn"}\n');
  await expect(context.files.readLog()).rejects.toThrow(/evidence-log\.ndjson:3: is no change of a feed .*backup/);
});

test('a person who approves again with another time changes the time, and one without a time keeps it', async () => {
  context.needed = 2;
  publish('192.0.2.0/24');
  await fetching();
  await approving('anna');
  after(1);
  const january = Date.UTC(2027, 0, 1);
  const approvals = [{ by: 'anna', at: '2026-03-01T00:01:00Z', from: '2027-01-01T00:00:00Z' }];
  expect(await approving('Anna', january)).toMatchObject({ kind: 'waiting', added: 'changed', pending: { approvals } });
  after(1);
  for (const from of [january, undefined]) {
    expect(await approving('anna', from)).toMatchObject({ added: 'repeated', pending: { approvals } });
  }
  expect(await approving('ben')).toMatchObject({ change: { effectiveFrom: '2027-01-01T00:00:00Z' } });
});

const PENDING = 'cdn.pending.yaml';
/** Changes the text of the pending list, as an editor does. */
const edit = (from: string | RegExp, to: string) => {
  const text = files()[PENDING];
  expect(text).toMatch(from);
  writeFileSync(join(folder, PENDING), text.replace(from, to));
};

test('a pending list that was edited is neither approved nor completed, whatever was changed', async () => {
  context.needed = 2;
  publish('192.0.2.0/24');
  await fetching();
  await approving('anna', Date.UTC(2026, 2, 2));
  const waiting = files()[PENDING];
  const edits: [RegExp, string][] = [
    [/^prefixes:$/m, 'prefixes:\n  - "203.0.113.0/25"'],
    [/"192\.0\.2\.0\/24"/, '"192.0.2.0/25"'],
    [/"by":"anna"/, '"by":"ben"'],
    [/"from":"2026-03-02/, '"from":"2026-03-01'],
    [/^approvals: \[/m, 'approvals: [{ by: ben, at: 2026-03-01T00:00:00Z }, '],
    [/^sha256:/m, 'decidedAt: "2026-02-20T00:00:00Z"\nsha256:'],
    [/^sourceSha256: "\w/m, 'sourceSha256: "0'],
  ];
  for (const [from, to] of edits) {
    edit(from, to);
    const edited = files();
    const remedy =
      /cdn\.pending\.yaml:\d+: sha256: is not of the other fields: the file was changed by hand, .*\n.*; remove it, and/;
    for (const command of [() => approving('ben'), () => fetching(), () => resumeApproval(feed, context)]) {
      await expect(command()).rejects.toThrow(remedy);
    }
    expect(files()).toEqual(edited);
    writeFileSync(join(folder, PENDING), waiting);
  }
  // Laid out otherwise, it is the same list.
  edit(/^# .*\n/, '');
  expect(await approving('ben')).toMatchObject({ kind: 'in_force' });
});

/** A list that ben has approved, and that a crash kept from being in force. */
async function interrupted(more: object = {}) {
  publish('192.0.2.0/24');
  await fetching();
  await approving('anna');
  feed = feedOf({ prefixGrowthPercent: null, addressGrowthPercent: null });
  publish('192.0.2.0/24', '198.51.100.0/24');
  await fetching();
  const { files: store } = context;
  const pending = await store.readPending('cdn');
  if (pending === null) throw new Error('no list waits');
  const decided = { decidedAt: '2026-03-01T00:00:00Z', approvals: [{ by: 'ben', at: '2026-03-01T00:00:00Z' }] };
  await store.writePending({ ...pending, ...decided, ...more });
  return { store, approvals: decided.approvals };
}

test('an approval that was interrupted is completed by the next command, in force from then on', async () => {
  const { approvals } = await interrupted();
  after(60);
  expect(await resumeApproval(feed, context)).toMatchObject({
    kind: 'in_force',
    change: { approvals, effectiveFrom: '2026-03-01T01:00:00Z' },
  });
  expect(partLines()[1]).toBe('{ cidr: "198.51.100.0/24", from: 2026-03-01T01:00:00Z }');
  expect(await resumeApproval(feed, context)).toBeNull();
});

test('a change that is logged and not written is logged again with its later beginning, or written if it has not begun', async () => {
  for (const [from, times] of [
    [undefined, ['2026-03-01T00:00:00Z', '2026-03-01T01:00:00Z']],
    ['2026-04-01T00:00:00Z', ['2026-04-01T00:00:00Z']],
  ] as const) {
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    now = Date.UTC(2026, 2, 1);
    feed = feedOf({});
    const { store } = await interrupted({ approvals: [{ by: 'ben', at: '2026-03-01T00:00:00Z', from }] });
    const writePart = store.writePart;
    store.writePart = () => Promise.reject(new Error('power cut'));
    await expect(resumeApproval(feed, context)).rejects.toThrow('power cut');
    store.writePart = writePart;
    after(60);
    await resumeApproval(feed, context);
    const [first, ...changes] = await store.readLog();
    expect(changes.map(({ effectiveFrom }) => effectiveFrom)).toEqual(times);
    for (const { partBeforeSha256 } of changes) expect(partBeforeSha256).toBe(first.partSha256);
    expect(changes.at(-1)?.partSha256).toBe(hashOf(files()['cdn.yaml']));
  }
});

test('a change that is written already is not made again by the next command', async () => {
  for (const command of [() => resumeApproval(feed, context), () => approving('carl', Date.UTC(2026, 3, 1))]) {
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    now = Date.UTC(2026, 2, 1);
    feed = feedOf({});
    const { store } = await interrupted();
    store.removePending = () => Promise.reject(new Error('power cut'));
    await expect(resumeApproval(feed, context)).rejects.toThrow('power cut');
    context.files = new FeedFiles(folder);
    const written = files();
    delete written['cdn.pending.yaml'];
    after(60);
    const outcome = await command();
    expect([outcome?.kind, files()]).toEqual([expect.stringMatching(/^(in_force|nothing)$/), written]);
  }
});

test('an approval is completed only if approvals, limits and catalogue still allow it', async () => {
  const { store } = await interrupted();
  const before = files();
  context.needed = 2;
  expect(await resumeApproval(feed, context)).toBeNull();
  context.needed = 1;
  context.claimedBeside = async () => [{ ...CLAIMED_BY_VIDEO, prefix: '198.51.100.128/25' }];
  expect(await resumeApproval(feed, context)).toMatchObject({ kind: 'refused', refusals: [{ guard: 'overlap' }] });
  context.claimedBeside = async () => [];
  context.checkCatalogue = () => {
    throw new ConfigError('catalogue.yaml:1: applications: a fault');
  };
  await expect(resumeApproval(feed, context)).rejects.toThrow('a fault');
  context.checkCatalogue = () => {};
  expect(files()).toEqual(before);
  // Another approval of the same list counts, too.
  const later = Date.UTC(2026, 3, 1);
  expect(await approving('carl', later)).toMatchObject({
    change: { approvals: [{ by: 'ben' }, { by: 'carl' }], effectiveFrom: '2026-04-01T00:00:00Z' },
  });
  expect(await store.readPending('cdn')).toBeNull();
});
