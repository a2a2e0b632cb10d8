import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readEvidenceConfig } from './evidence-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'zerorate-feeds-'));
afterAll(() => rmSync(folder, { recursive: true }));

function read(text: string) {
  const file = join(folder, 'evidence.yaml');
  writeFileSync(file, text);
  return readEvidenceConfig(file);
}

const feed = (rest: string) => `catalogue: c.yaml\nfeeds:\n  - { id: f, application: chat, ${rest} }\n`;

test('paths are relative to the file, and what is left out has its default', () => {
  const { feeds, ...config } = read(feed('form: 3gpp-pfd, source: { file: lists/pfds.json }'));
  expect(config).toEqual({
    file: join(folder, 'evidence.yaml'),
    catalogue: join(folder, 'c.yaml'),
    sharedClouds: [],
    directory: join(folder, 'evidence'),
    approvals: 1,
  });
  expect(feeds).toEqual([
    {
      id: 'f',
      application: 'chat',
      form: '3gpp-pfd',
      source: { file: join(folder, 'lists/pfds.json'), timeoutMs: 30_000 },
      filter: {},
      portRules: 'refuse',
      guards: {
        prefixGrowthPercent: 25,
        prefixShrinkPercent: 25,
        addressGrowthPercent: 25,
        addressShrinkPercent: 25,
        shortestIpv4Prefix: 12,
        shortestIpv6Prefix: 24,
        maxBytes: 16_777_216,
      },
    },
  ]);
});

const URL = 'source: { url: "https://lists.example/a" }';

test.each([
  [
    'an unknown form',
    `form: aws, ${URL}`,
    /:3: feeds\[0\]\.form: expected a form: cidr-list, aws-ip-ranges, google-ip/,
  ],
  ['no form', URL, /:3: feeds\[0\]: .*expected a form|:3: feeds\[0\]\.form: expected a form/],
  ['a filter of another form', `form: cidr-list, ${URL}, filter: {}`, /:3: feeds\[0\]\.filter: unknown key/],
  [
    'another filter',
    `form: aws-ip-ranges, ${URL}, filter: { service: [S3] }`,
    /service: unknown key \(did you mean "services/,
  ],
  ['the age of a list without a time', `form: geofeed, ${URL}, guards: { maxAgeDays: 3 }`, /maxAgeDays: unknown key/],
  ['two sources', 'form: geofeed, source: { url: "https://a.example", file: b }', /source: name either url or file/],
  ['plain HTTP', 'form: geofeed, source: { url: "http://a.example" }', /source\.url: expected an https:\/\/ address/],
  [
    'a password',
    'form: geofeed, source: { url: "https://u:hidden@a.example" }',
    /source\.url: a URL with a user or password in it is refused$/,
  ],
  ['a file name for an id', `form: geofeed, ${URL}, id: ../f`, /id: expected 1 to 64 of a-z|duplicated mapping key/],
])('%s is refused', (_what, rest, fault) => {
  expect(() => read(feed(rest))).toThrow(fault);
});

test('two feeds of one id are refused, and a third approval', () => {
  const two = `feeds:\n${`  - { id: f, application: chat, form: geofeed, ${URL} }\n`.repeat(2)}`;
  expect(() => read(`catalogue: c.yaml\n${two}`)).toThrow(/:4: feeds\[1\]\.id: f is the id of an earlier feed, too/);
  expect(() => read(`approvals: 3\n${feed(`form: geofeed, ${URL}`)}`)).toThrow(/:1: approvals: expected one of 1, 2/);
});
