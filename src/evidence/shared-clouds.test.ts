import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AWS_IP_RANGES, CIDR_LIST, GOOGLE_CLOUD } from './forms/published-lists.fixture.ts';
import { readSharedClouds } from './shared-clouds.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerorate-clouds-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

test('lists of each form are read, and a range has the name of its file', () => {
  const files = [put('a.txt', CIDR_LIST), put('aws.json', AWS_IP_RANGES), put('google.json', GOOGLE_CLOUD)];
  const ranges = readSharedClouds(files);
  const of = (file: string) => ranges.filter((range) => range.file === file).map(({ prefix }) => prefix);
  expect(of(files[0])).toContain('203.0.113.0/24');
  expect(of(files[1])).toContain('2001:db8:f000::/40');
  expect(of(files[2])).toContain('198.51.100.0/24');
  expect(readSharedClouds([])).toEqual([]);
});

test('whatever is wrong with a list is reported by file and line, of all lists at once', () => {
  const files = [put('a.txt', '192.0.2.0/24\n192.0.2.1/24\n'), put('b.json', '{ "prefixes": []'), join(folder, 'none')];
  expect(() => readSharedClouds(files)).toThrow(/a\.txt:2: .*b\.json:\d+: .*none: cannot be read: ENOENT/s);
});
