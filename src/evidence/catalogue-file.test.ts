import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatFault } from '../formats/document-fault.ts';
import { catalogueFromCanonicalJson } from '../rating/catalogue/catalogue-compile.ts';
import { loadCatalogue } from './catalogue-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerorate-parts-'));
  mkdirSync(join(folder, 'evidence'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const put = (name: string, text: string) => writeFileSync(join(folder, name), text);

function catalogue(chat: string, video = ''): string {
  const plan = (application: string) => `
  - { id: ${application}, application: ${application}, version: 1, effectiveFrom: 2020-01-01T00:00:00Z, effectiveTo: null, period: day,
      timeZone: UTC, content: { unknown: 10000 }, quotaOctets: null, notifyAt: [], tiers: [{ upToOctets: null, pricePerMiB: "1" }], latePolicy: adjust }`;
  return `sponsors: [{ id: s, name: S, currency: EUR, creditLimit: "1" }]
applications:
  - { id: chat, sponsor: s, prefixes: [192.0.2.0/24${chat} }
  - { id: video, sponsor: s, prefixes: [198.51.100.0/24]${video} }
plans: ${plan('chat')}${plan('video')}
`;
}

const part = (prefixes: string, application = 'chat') =>
  `application: ${application}\nfeed: f\nfetchedAt: 2026-01-01T00:00:00Z\nprefixes:\n${prefixes}`;
const DATED = '{ cidr: 203.0.113.0/24, from: 2026-03-01T00:00:00Z }';
const load = () => loadCatalogue(join(folder, 'catalogue.yaml'));
/** Without the folder. */
const faults = () => (load().faults ?? []).map((fault) => formatFault(fault).replaceAll(`${folder}/`, ''));

test('a part is as if its prefixes were in the catalogue: the same text, the same hash', () => {
  put('catalogue.yaml', catalogue(`, ${DATED}, "2001:db8::/32"]`));
  const { catalogue: whole } = load();
  put('catalogue.yaml', catalogue('], prefixFiles: [evidence/a.yaml, evidence/b.json]'));
  put('evidence/a.yaml', part(`  - ${DATED}\n`));
  const json = { application: 'chat', feed: 'g', fetchedAt: '2026-01-01T00:00:00Z', prefixes: ['2001:db8::/32'] };
  put('evidence/b.json', JSON.stringify(json));
  const { catalogue: expanded, files } = load();
  expect(expanded).toEqual(whole);
  expect(expanded?.hash).toMatch(/^[\da-f]{64}$/);
  expect(catalogueFromCanonicalJson(expanded?.canonicalJson ?? '')).toEqual(whole);
  expect(Object.keys(files)).toEqual(
    ['catalogue.yaml', 'evidence/a.yaml', 'evidence/b.json'].map((name) => join(folder, name)),
  );
  put('evidence/b.json', JSON.stringify({ ...json, prefixes: ['2001:db8::/33'] }));
  expect(load().catalogue?.hash).not.toBe(whole?.hash);
  put('catalogue.yaml', catalogue(']'));
  expect(load().catalogue?.canonicalJson).not.toContain('prefixFiles');
});

test('a fault of a part has its file and line', () => {
  put('catalogue.yaml', catalogue('], prefixFiles: [evidence/a.yaml]'));
  put(
    'evidence/a.yaml',
    part('  - 203.0.113.0/24\n  - 203.0.113.7/24\n  - 198.51.100.0/24\n  - { cidr: 203.0.114.0/24, to: soon }\n'),
  );
  expect(faults()).toEqual([
    'evidence/a.yaml:8: prefixes[3].to: expected a time with its offset, as 2026-01-31T00:00:00Z or 2026-01-31T00:00:00+08:00',
  ]);
  put('evidence/a.yaml', part('  - 203.0.113.0/24\n  - 203.0.113.7/24\n  - 198.51.100.0/24\n'));
  expect(faults()).toEqual([
    'catalogue.yaml:4: applications[1].prefixes[0]: prefix 198.51.100.0/24 is claimed already by application chat',
    'evidence/a.yaml:6: prefixes[1]: 203.0.113.7/24 has host bits set: the network is 203.0.113.0/24',
  ]);
  put('evidence/a.yaml', part('  - { cidr: 203.0.113.0/24, from: 2026-02-01T00:00:00Z, to: 2026-01-01T00:00:00Z }\n'));
  expect(faults()).toEqual([
    'evidence/a.yaml:5: prefixes[0].to: 2026-01-01T00:00:00Z is not after from 2026-02-01T00:00:00Z',
  ]);
  put('evidence/a.yaml', 'application: chat\nfeeds: f\n');
  expect(faults()).toContain('evidence/a.yaml:2: feeds: unknown key (did you mean "feed"?)');
});

test('claims that overlap name the place of the other one, wherever it is', () => {
  put('catalogue.yaml', catalogue('], prefixFiles: [evidence/a.yaml]', ', prefixFiles: [evidence/b.yaml]'));
  put('evidence/a.yaml', part('  - 203.0.113.0/24\n'));
  put('evidence/b.yaml', part(`  - ${DATED}\n`, 'video'));
  expect(faults()).toEqual([
    expect.stringMatching(
      /^evidence\/b\.yaml:5: prefixes\[0\]\.from: .*application chat .*evidence\/a\.yaml:5: prefixes\[0\]/,
    ),
  ]);
});

test('a part that is not there, of another application, or named twice', () => {
  put(
    'catalogue.yaml',
    catalogue('], prefixFiles: [evidence/a.yaml, evidence/a.yaml]', ', prefixFiles: [evidence/b.yaml]'),
  );
  put('evidence/b.yaml', part('  - 203.0.113.0/24\n', 'chat'));
  expect(faults()).toEqual([
    expect.stringMatching(
      /^catalogue\.yaml:3: applications\[0\]\.prefixFiles\[0\]: evidence\/a\.yaml: cannot be read: ENOENT.*; approve its feed first/,
    ),
    'catalogue.yaml:3: applications[0].prefixFiles[1]: evidence/a.yaml: is named twice',
    'evidence/b.yaml:1: application: is of application chat, and application video names it in prefixFiles of catalogue.yaml',
  ]);
  // What cannot be read is watched, too: it may come.
  expect(Object.keys(load().files)).toContain(join(folder, 'evidence/a.yaml'));
});
