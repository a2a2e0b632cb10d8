import { once } from 'node:events';
import { appendFileSync, chmodSync, cpSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadCatalogue } from '../../src/evidence/catalogue-file.ts';
import { FeedFiles } from '../../src/evidence/feed-files.ts';
import { AWS_IP_RANGES, GEOFEED } from '../../src/evidence/forms/published-lists.fixture.ts';
import { hashOf } from '../../src/evidence/pending-list.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { type Authority, makeAuthority } from '../servers/certificates.ts';
import { writeKillModule } from './kill-at-step.fixture.ts';
import { type Finished, KILLED, Zerorate } from './zerorate.fixture.ts';

let zerorate: Zerorate;
let authority: Authority;
let server: Server;
let url: string;
/** What is published, by path. */
const published: Record<string, string> = {};

beforeAll(async () => {
  zerorate = await Zerorate.build();
  authority = await makeAuthority(zerorate.directory, 'lists');
  const { cert, key } = await authority.issue('server');
  server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, ({ url: path = '' }, response) => {
    if (path.startsWith('/moved/')) response.writeHead(302, { location: path.slice('/moved'.length) }).end();
    else if (published[path] === undefined) response.writeHead(404).end();
    else response.end(published[path]);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server?.close();
  server?.closeAllConnections();
  await zerorate?.remove();
});

const CATALOGUE = readFileSync(packagePath('fixtures/demo/catalogue.yaml'), 'utf8').replaceAll(
  /^ {4}prefixes: .*$/gm,
  '    prefixes: []',
);
const naming = (...parts: string[]) =>
  CATALOGUE.replace('tags: [CHAT, CHAT-LITE]', `tags: [CHAT, CHAT-LITE]\n    prefixFiles: [${parts.join(', ')}]`);

/** Makes a folder of its own with a catalogue and feeds. */
function configure(folder: string, approvals: number, feeds: readonly object[]) {
  const path = (name: string) => zerorate.path(`${folder}/${name}`);
  cpSync(packagePath('fixtures/demo/chatter-cdn.txt'), path('list.txt'));
  writeFileSync(path('catalogue.yaml'), CATALOGUE);
  const tls = { caFile: authority.ca };
  const withTls = feeds.map((feed) => ({ application: 'chatter', ...feed }));
  writeFileSync(
    path('evidence.yaml'),
    JSON.stringify({ catalogue: 'catalogue.yaml', approvals, feeds: withTls }).replaceAll('"TLS"', JSON.stringify(tls)),
  );
  const run = (...args: string[]) => zerorate.run(['evidence', ...args, '--config', path('evidence.yaml')]);
  return { path, run };
}

const ok = ({ code, stdout, stderr }: Finished) => {
  expect(code, stdout + stderr).toBe(0);
  return stdout;
};

/** Of a terminal with a server of the list. */
const RECORD = {
  ...{ nodeId: 'node-1', localSequenceNumber: 1, chargingId: 1, recordSequenceNumber: 1, servedMsisdn: '15550100' },
  ...{ terminalIp: '10.0.0.1', remoteIp: '203.0.113.9', terminalPort: 40_000, remotePort: 443, protocol: 6 },
  ...{ uplinkOctets: 100, downlinkOctets: 1000 },
};

test('a published list becomes a part of the catalogue that every command reads, after two people have approved it', async () => {
  published['/aws.json?key=hidden'] = AWS_IP_RANGES;
  const source = { url: `${url}/moved/aws.json?key=hidden`, tls: 'TLS' };
  const guards = { maxAgeDays: null, prefixGrowthPercent: 100 };
  const filter = { services: ['CLOUDFRONT', 'EC2'] };
  const { path, run } = configure('aws', 2, [{ id: 'aws', form: 'aws-ip-ranges', source, filter, guards }]);

  const fetched = ok(await run('fetch', '--by', 'cron'));
  expect(fetched).toContain(`aws: the list waits for approval: ${path('evidence/aws.pending.yaml')}\n`);
  expect(fetched).toContain('  source: https://127.0.0.1:');
  expect(fetched).toContain(`  SHA-256: ${hashOf(AWS_IP_RANGES)}\n  approved 0 of 2\n`);
  expect(fetched).toMatch(/ {2}\+ 203\.0\.113\.0\/24\n[^-]* {2}prefixes: 0 before, 4 after\n/);
  expect(fetched).not.toContain('hidden');
  expect(ok(await run('fetch'))).toContain('aws: the list waits for approval since an earlier fetch: ');
  expect(ok(await run('show'))).toMatch(
    /no part is in force\n {2}waits for approval: .*\n.*\n.*\n {2}approved 0 of 2\n/,
  );
  expect(ok(await run('approve', 'aws', '--by', 'anna'))).toContain('waits for the approval of another person');
  expect(ok(await run('approve', 'aws', '--by', 'Anna'))).toContain(
    'Anna has approved this list already; the list waits for the approval of another person',
  );
  const approved = ok(await run('approve', 'aws', '--by', 'ben'));
  expect(approved).toMatch(
    /aws: .*aws\.yaml is written\n {2}in force from .* on: 4 added, 0 removed\n {2}approved: anna at .*, ben at /,
  );
  expect(approved).toContain('does not use it yet: add evidence/aws.yaml to prefixFiles of application chatter');
  expect(ok(await run('approve', 'aws', '--by', 'ben'))).toContain(
    'aws: no list waits; the last one is approved by ben',
  );

  writeFileSync(path('catalogue.yaml'), naming('evidence/aws.yaml'));
  const { stdout } = await zerorate.run(['check', '--catalogue', path('catalogue.yaml')]);
  expect(stdout).toContain(', 4 prefixes, ');
  expect(ok(await run('show'))).not.toContain('WARNING');

  // The engine's commands know the part: a record counts from the approval on.
  const [{ effectiveFrom }] = await new FeedFiles(path('evidence')).readLog();
  const explain = async (startTime: number) => {
    const input = JSON.stringify({ ...RECORD, startTime, endTime: startTime + 1 });
    return (await zerorate.run(['explain', '-', '--catalogue', path('catalogue.yaml')], { input })).stdout;
  };
  expect(await explain(Date.parse(effectiveFrom))).toMatch(/chatter/);
  expect(await explain(Date.parse(effectiveFrom) - 1)).toMatch(/no_evidence/);

  // What is gone ends at a later time, and what is new begins then.
  published['/aws.json?key=hidden'] = AWS_IP_RANGES.replaceAll('198.51.100.0/25', '198.51.100.128/25');
  expect(ok(await run('fetch'))).toMatch(/ {2}\+ 198\.51\.100\.128\/25\n {2}- 198\.51\.100\.0\/25\n/);
  await run('approve', 'aws', '--by', 'anna', '--from', '2099-01-01T00:00:00Z');
  ok(await run('approve', 'aws', '--by', 'ben'));
  const part = readFileSync(path('evidence/aws.yaml'), 'utf8');
  expect(part).toContain(`{ cidr: "198.51.100.0/25", from: ${effectiveFrom}, to: 2099-01-01T00:00:00Z }`);
  expect(part).toContain('{ cidr: "198.51.100.128/25", from: 2099-01-01T00:00:00Z }');
  expect(part).not.toContain('hidden');

  appendFileSync(path('evidence/aws.yaml'), '  - 192.0.2.0/24\n');
  expect(ok(await run('show'))).toMatch(
    /WARNING: .*aws\.yaml is not as .*evidence-log\.ndjson says: it was changed by hand/,
  );
});

test('refused, damaged and unreachable lists have codes of their own, and keep nothing else back', async () => {
  published['/geofeed'] = GEOFEED;
  published['/damaged'] = '<html>';
  const ofUrl = (path: string) => ({ url: url + path, tls: 'TLS' });
  const { path, run } = configure('codes', 1, [
    { id: 'gone', form: 'cidr-list', source: ofUrl('/gone') },
    { id: 'damaged', form: 'cidr-list', source: ofUrl('/damaged') },
    { id: 'broad', form: 'geofeed', source: ofUrl('/geofeed'), guards: { shortestIpv4Prefix: 25 } },
    { id: 'good', form: 'cidr-list', source: { file: 'list.txt' } },
  ]);
  const { code, stdout, stderr } = await run('fetch');
  expect(code).toBe(3);
  expect(stdout).toContain('good: the list waits for approval');
  const stays = (feed: string) => `${feed}: nothing changes\n`;
  expect(stderr).toContain(
    `gone: ${url}/gone answers with status 404; check source.url [feed_status]\n${stays('gone')}`,
  );
  expect(stderr).toContain(`damaged: ${url}/damaged: is a web page or XML, not a list: check the URL\n`);
  expect(stderr).toContain('broad: refused (broad_prefix): 203.0.113.0/24: broader than /25');
  // The parts are for the engine's user, too.
  chmodSync(path('evidence'), 0o775);
  expect((await run('fetch', '--feed', 'damaged')).code).toBe(2);
  expect(statSync(path('evidence')).mode & 0o777).toBe(0o775);
  expect((await run('fetch', '--feed', 'gone')).code).toBe(1);
  expect(existsSync(path('evidence/broad.pending.yaml'))).toBe(false);

  const failing = async (...args: string[]) => {
    const { code, stderr } = await run(...args);
    return `${code}: ${stderr}`;
  };
  expect(await failing('fetch', '--feed', 'goodd')).toContain('2: ');
  expect(await failing('fetch', '--feed', 'goodd')).toContain('has no feed "goodd" (did you mean "good"?)');
  expect(await failing('approve', 'broad', '--by', 'anna')).toMatch(/^2: broad: no list waits for approval; fetch it/);
  expect(await failing('approve', 'good', '--by', ' ')).toMatch(/^2: --by: expected the name of a person/);
  expect(await failing('approve', 'good', '--by', 'anna', '--from', '2020-01-01T00:00:00Z')).toMatch(
    /^2: --from 2020-01-01T00:00:00.000Z is in the past: name a later time/,
  );
  expect(await failing('approve', 'good', '--by', 'anna', '--from', 'soon')).toMatch(/^2: [\s\S]*Expected a time/);

  // What another application claims by now is refused at the approval, and so is a part that the catalogue could not have.
  const others = CATALOGUE.replace(/(id: lumen-video[\s\S]*?prefixes: )\[\]/, '$1[203.0.113.0/24]');
  writeFileSync(path('catalogue.yaml'), others);
  expect(await failing('approve', 'good', '--by', 'anna')).toMatch(
    /^3: good: refused \(overlap\): 203\.0\.113\.128\/26 and 203\.0\.113\.0\/24 of application lumen-video, /,
  );
  writeFileSync(path('catalogue.yaml'), naming('evidence/good.yaml'));
  expect(await failing('show')).toMatch(
    /^2: .*catalogue\.yaml:\d+: applications\[0\]\.prefixFiles\[0\]: evidence\/good\.yaml: cannot be read: .*approve its feed first/,
  );
});

test('what a list cannot be beside is named when it is fetched, and what is in force so is shown', async () => {
  const source = (file: string) => ({ form: 'cidr-list', source: { file } });
  const guards = {
    prefixShrinkPercent: null,
    addressShrinkPercent: null,
    addressGrowthPercent: null,
    prefixGrowthPercent: null,
  };
  const { path, run } = configure('beside', 1, [
    { id: 'first', ...source('first.txt'), guards },
    { id: 'second', application: 'lumen-video', ...source('second.txt'), guards },
    { id: 'third', ...source('third.txt') },
  ]);
  writeFileSync(path('first.txt'), '198.51.100.0/24\n203.0.113.0/24\n');
  writeFileSync(path('second.txt'), '198.51.100.128/25\n');
  writeFileSync(path('third.txt'), '198.51.100.0/24\n');
  ok(await run('fetch', '--feed', 'first'));
  ok(await run('approve', 'first', '--by', 'anna'));
  const refused = await run('fetch');
  expect(refused.code).toBe(3);
  expect(refused.stderr).toContain(
    'second: refused (overlap): 198.51.100.128/25 and 198.51.100.0/24 of application chatter (feed first) share addresses: ',
  );
  expect(refused.stderr).toContain(
    'third: refused (shared_prefix): 198.51.100.0/24 and 198.51.100.0/24 of application ',
  );

  // The network moves to the other application at one instant.
  writeFileSync(path('first.txt'), '203.0.113.0/24\n');
  ok(await run('fetch', '--feed', 'first'));
  ok(await run('approve', 'first', '--by', 'anna', '--from', '2099-01-01T00:00:00Z'));
  const earliest =
    '  shares addresses with prefixes that end until 2099-01-01T00:00:00Z: approve with --from 2099-01-01T00:00:00Z or';
  expect(ok(await run('fetch', '--feed', 'second'))).toContain(earliest);
  expect(ok(await run('show', '--feed', 'second'))).toContain(earliest);
  expect((await run('approve', 'second', '--by', 'ben')).code).toBe(3);
  ok(await run('approve', 'second', '--by', 'ben', '--from', '2099-01-01T00:00:00Z'));
  const other = await run('approve', 'second', '--by', 'ben', '--from', '2099-02-01T00:00:00Z');
  expect([other.code, other.stderr]).toEqual([
    2,
    expect.stringContaining(
      'no list waits for approval, and the last one is in force from 2099-01-01T00:00:00Z on: --from does not',
    ),
  ]);
  expect(ok(await run('show'))).not.toContain('share addresses');

  // By hand: it is shown. A pending list that was changed keeps no other feed from being shown.
  const part = readFileSync(path('evidence/second.yaml'), 'utf8');
  writeFileSync(path('evidence/second.yaml'), part.replace('2099-01-01T00:00:00Z }', '2098-01-01T00:00:00Z }'));
  writeFileSync(path('third.txt'), '192.0.2.0/24\n');
  ok(await run('fetch', '--feed', 'third'));
  const pending = readFileSync(path('evidence/third.pending.yaml'), 'utf8');
  writeFileSync(path('evidence/third.pending.yaml'), pending.replace('"192.0.2.0/24"', '"0.0.0.0/0"'));
  const shown = await run('show');
  expect(shown.code).toBe(2);
  const warning = (own: string, claimed: string) =>
    `WARNING: ${own} and ${claimed} share addresses: end one of them where`;
  expect(shown.stdout).toContain(
    warning('198.51.100.0/24', '198.51.100.128/25 of application lumen-video (feed second)'),
  );
  expect(shown.stderr).toMatch(
    /^third: .*third\.pending\.yaml:\d+: sha256: is not of the other fields: the file was changed by hand/,
  );
});

const PART = 'evidence/cdn.yaml';

/** A feed whose part is in force, and whose next list waits. */
async function waitingFeed(folder: string) {
  const guards = { prefixShrinkPercent: null, addressShrinkPercent: null, addressGrowthPercent: null };
  const feed = configure(folder, 1, [{ id: 'cdn', form: 'cidr-list', source: { file: 'list.txt' }, guards }]);
  ok(await feed.run('fetch'));
  ok(await feed.run('approve', 'cdn', '--by', 'anna'));
  writeFileSync(feed.path('catalogue.yaml'), naming(PART));
  writeFileSync(feed.path('list.txt'), '203.0.113.128/26\n198.51.100.0/24\n');
  return feed;
}

/** Runs a command again and again, killed one step later each time, over what `folder` has. */
async function killedAtEachStep(
  folder: string,
  args: string[],
  check: (copy: string, killed: Finished) => Promise<void>,
) {
  const copy = `${folder}-killed`;
  const module = zerorate.path(`${folder}.mjs`);
  writeKillModule(module, zerorate.path(`${copy}/evidence`));
  for (let step = 0; ; step++) {
    rmSync(zerorate.path(copy), { recursive: true, force: true });
    cpSync(zerorate.path(folder), zerorate.path(copy), { recursive: true });
    const env = { KILL_AT_STEP: String(step), NODE_OPTIONS: `--import ${module}` };
    const config = ['--config', zerorate.path(`${copy}/evidence.yaml`)];
    const killed = await zerorate.run(['evidence', ...args, ...config], { env });
    await check(copy, killed);
    if (killed.code !== KILLED) return step;
  }
}

test('a crash at any step of an approval leaves the former part or the new one, and the next command completes it once', async () => {
  const { path, run } = await waitingFeed('approve');
  ok(await run('fetch'));
  const former = readFileSync(path(PART), 'utf8');
  const states = new Set<string>();
  const steps = await killedAtEachStep('approve', ['approve', 'cdn', '--by', 'ben'], async (copy) => {
    const files = new FeedFiles(zerorate.path(`${copy}/evidence`));
    const catalogue = zerorate.path(`${copy}/catalogue.yaml`);
    expect(loadCatalogue(catalogue).faults).toBeUndefined();
    const part = readFileSync(files.partPath('cdn'), 'utf8');
    const log = await files.readLog();
    // No change is in force that the log does not have.
    expect([hashOf(former), log.at(-1)?.partSha256]).toContain(hashOf(part));
    states.add(`${part === former ? 'former' : 'new'} part, ${log.length} changes`);

    const again = await zerorate.run([
      'evidence',
      'approve',
      'cdn',
      '--by',
      'ben',
      '--config',
      zerorate.path(`${copy}/evidence.yaml`),
    ]);
    ok(again);
    const changes = await files.readLog();
    const last = changes.at(-1);
    expect(last).toMatchObject({ approvals: [{ by: 'ben' }], added: ['198.51.100.0/24'] });
    expect(last?.partSha256).toBe(hashOf(readFileSync(files.partPath('cdn'))));
    // A change that was logged and not written is logged again: it begins later.
    expect(changes.slice(1).map((change) => change.partBeforeSha256)).toEqual(
      changes.slice(1).map(() => hashOf(former)),
    );
    expect(changes.length).toBeLessThanOrEqual(log.length === 1 || part !== former ? 2 : 3);
    expect(await files.readPending('cdn')).toBeNull();
    expect(loadCatalogue(catalogue).faults).toBeUndefined();
  });
  expect(steps).toBeGreaterThan(12);
  expect([...states]).toEqual(['former part, 1 changes', 'former part, 2 changes', 'new part, 2 changes']);
});

test('a crash at any step of a fetch leaves the part in force, and a list that waits whole or not', async () => {
  await waitingFeed('fetch');
  const former = readFileSync(zerorate.path(`fetch/${PART}`), 'utf8');
  const steps = await killedAtEachStep('fetch', ['fetch'], async (copy, { code }) => {
    const files = new FeedFiles(zerorate.path(`${copy}/evidence`));
    expect(readFileSync(files.partPath('cdn'), 'utf8')).toBe(former);
    const pending = await files.readPending('cdn');
    if (code === 0) expect(pending?.prefixes).toEqual(['198.51.100.0/24', '203.0.113.128/26']);
    if (pending !== null) expect(pending.prefixes).toHaveLength(2);
  });
  expect(steps).toBeGreaterThan(4);
});

test('of two processes that write at once one is refused, and none is lost', async () => {
  const { run, path } = await waitingFeed('both');
  const results = await Promise.all(Array.from({ length: 4 }, () => run('fetch')));
  for (const { code, stderr } of results) {
    if (code !== 0)
      expect(stderr).toMatch(/evidence: another process \(\d+\) is using it; .* \[data_directory_in_use\]/);
  }
  ok(await run('fetch'));
  expect((await new FeedFiles(path('evidence')).readPending('cdn'))?.prefixes).toHaveLength(2);
});
