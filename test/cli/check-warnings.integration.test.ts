import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { Zerorate } from './zerorate.fixture.ts';

const DEMO = readFileSync(packagePath('fixtures/demo/catalogue.yaml'), 'utf8');

let zerorate: Zerorate;
beforeAll(async () => {
  zerorate = await Zerorate.build();
  writeFileSync(zerorate.path('catalogue.yaml'), DEMO);
  // Of two prefixes the second is the IPv6 one.
  writeFileSync(zerorate.path('ipv4.yaml'), DEMO.replace('[192.0.2.0/25, "2001:db8:1e::/48"]', '[192.0.2.0/25]'));
  writeFileSync(zerorate.path('cloud.txt'), '192.0.2.0/24\n198.51.96.0/20\n203.0.113.0/24\n');
});
afterAll(() => zerorate?.remove());

test('warnings have the line of the application, and are no faults unless --strict', async () => {
  const line = DEMO.split('\n').findIndex((text) => text.includes('192.0.2.0/25')) + 1;
  const checked = await zerorate.run(['check', '--catalogue', 'ipv4.yaml']);
  expect(checked).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ipv4\.yaml: .* is good\n$/) });
  expect(checked.stderr).toMatch(
    new RegExp(
      `^WARNING: ipv4\\.yaml:${line}: applications\\[3\\]\\.prefixes: lumen-video has prefixes of IPv4 only \\(1\\): .*\\(ipv4_only\\)\n$`,
    ),
  );
  expect((await zerorate.run(['check', '--catalogue', 'ipv4.yaml', '--strict'])).code).toBe(2);
  expect(await zerorate.run(['check', '--catalogue', 'catalogue.yaml', '--strict'])).toMatchObject({
    code: 0,
    stderr: '',
  });
});

test('a catalogue and files need no store, and a store no source', async () => {
  const [catalogue, line] = [['check', '--catalogue', 'catalogue.yaml'], /^catalogue\.yaml: .* is good\n/];
  writeFileSync(zerorate.path('empty.ndjson'), '');
  const files = await zerorate.run([...catalogue, '--source', 'empty.ndjson']);
  expect(files).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(line) });
  expect(files.stdout).toContain('empty.ndjson: 0 records, all of them can be rated');
  const store = await zerorate.run([...catalogue, '--store', 'nowhere']);
  expect(store).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(line) });
  expect(existsSync(zerorate.path('nowhere'))).toBe(false);
  // What the options name is no whole configuration.
  expect(await zerorate.run([...catalogue, '--source', 'empty.ndjson', '--show'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('store: is missing'),
  });
  expect(await zerorate.run(['check', '--store', 'nowhere'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('what is to be checked?'),
  });
});

test('conditions on where the terminal was are named with files of CDRs that leave it out, also without a configuration', async () => {
  const roaming = DEMO.replace(/^plans:$/m, 'network: { homePlmns: ["26201"] }\nplans:').replace(
    /^( +)- id: chatter-all$/m,
    '$&\n$1  conditions: { roaming: home }',
  );
  writeFileSync(zerorate.path('roaming.yaml'), roaming);
  const cdr = ['--source', packagePath('fixtures/cdr/pgw.cdr')];
  const { code, stdout } = await zerorate.run(['check', '--catalogue', 'roaming.yaml', ...cdr]);
  expect(stdout).toMatch(/^warning: plan \S+ version \d+ has conditions on where the terminal was/m);
  expect(code).toBe(0);
  expect((await zerorate.run(['check', '--catalogue', 'roaming.yaml'])).stdout).not.toContain('warning');
});

test('prefixes within shared clouds are counted by application', async () => {
  const clouds = ['--shared-clouds', 'cloud.txt'];
  const { code, stderr } = await zerorate.run(['check', '--catalogue', 'catalogue.yaml', ...clouds]);
  expect(code).toBe(0);
  // One of `match: both` is left out.
  expect(stderr.match(/of [\w-]+ share .*\((?=shared_cloud)/g)?.map((text) => text.split(' ')[1])).toEqual([
    'chatter',
    'chatter-calls',
    'lumen-video',
    'lumen-live',
  ]);
  expect(stderr).toMatch(/1 of 2 prefixes of chatter .*198\.51\.96\.0\/20 \(cloud\.txt\)/);
  const unread = await zerorate.run(['check', '--catalogue', 'catalogue.yaml', '--shared-clouds', 'none.txt']);
  expect(unread).toMatchObject({ code: 2, stderr: expect.stringMatching(/none\.txt: cannot be read/) });
});

test('evidence that no charge was by is named from the store', async () => {
  const options = ['--catalogue', 'catalogue.yaml', '--store', 'store'];
  const day = { startTime: Date.now() - 1000, endTime: Date.now() };
  const record = {
    ...{ nodeId: 'n', localSequenceNumber: 1, chargingId: 1, recordSequenceNumber: 1, servedMsisdn: '999001', ...day },
    ...{ terminalIp: '10.0.0.1', remoteIp: '8.8.8.8', terminalPort: 1, remotePort: 1, protocol: 6 },
    ...{ zeroRatingTag: 'CHAT', contentType: 'text', uplinkOctets: 10, downlinkOctets: 10 },
  };
  writeFileSync(zerorate.path('flows.ndjson'), `${JSON.stringify(record)}\n`);
  expect(await zerorate.run(['run', ...options, '--source', 'flows.ndjson'])).toMatchObject({ code: 0 });
  const { code, stderr } = await zerorate.run(['check', ...options, '--unmatched-days', '7']);
  expect(code).toBe(0);
  expect(stderr).toMatch(
    /applications\[0\]\.prefixes: no record of chatter was charged by its prefixes since .*\(unmatched_evidence\)/,
  );
  expect(stderr).not.toMatch(/of chatter was charged by its tags/);
  expect(stderr).toMatch(/no record of pigeon was charged by its tags since .* \(never before either\)/);
  const noStore = await zerorate.run(['check', '--catalogue', 'catalogue.yaml', '--unmatched-days', '7']);
  expect(noStore).toMatchObject({ code: 2, stderr: expect.stringMatching(/--unmatched-days needs a store/) });
});

test('a configuration of feeds is checked with its catalogue, and names shared clouds', async () => {
  const feed = { id: 'f', application: 'chatter', form: 'cidr-list', source: { file: 'list.txt' } };
  const configure = (changes: object) =>
    writeFileSync(
      zerorate.path('evidence.yaml'),
      JSON.stringify({ catalogue: 'catalogue.yaml', sharedClouds: ['cloud.txt'], feeds: [feed], ...changes }, null, 1),
    );
  configure({});
  const good = await zerorate.run(['check', '--evidence', 'evidence.yaml']);
  expect(good).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^evidence\.yaml: 1 feed, approvals: 1; good\n.*catalogue\.yaml: 4 sponsors/),
  });
  expect(good.stderr).toMatch(/\(shared_cloud\)/);
  configure({ feeds: [{ ...feed, application: 'chatte' }] });
  const unknown = await zerorate.run(['check', '--evidence', 'evidence.yaml']);
  expect(unknown).toMatchObject({ code: 2, stderr: expect.stringMatching(/feed f: .* has no application "chatte"/) });
  configure({ feeds: [{ ...feed, form: 'none' }] });
  const bad = await zerorate.run(['check', '--evidence', 'evidence.yaml']);
  expect(bad).toMatchObject({ code: 2, stderr: expect.stringMatching(/^evidence\.yaml:\d+: feeds\[0\]\.form: /m) });
});
