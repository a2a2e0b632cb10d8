import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterEach, expect, test } from 'vitest';
import { packagePath } from '../../package-paths.ts';
import { createKafka } from '../kafka.ts';
import { PATCHED_KAFKAJS_VERSION } from './kafkajs-internals.ts';

const FOLDER = 'src/platform/kafka/patches';
const require = createRequire(import.meta.url);
const installed = require('kafkajs/package.json') as { version: string };
const { version } = installed;
afterEach(() => {
  installed.version = version;
});

const client = () => createKafka({ brokers: ['127.0.0.1:1'], clientId: 'test' });

test('a client of another kafkajs than the patched one is refused before it connects, with both versions and the remedy', () => {
  const { prototype } = require('kafkajs/src/broker/index.js') as { prototype: { fetch: unknown } };
  const unchanged = prototype.fetch;
  for (const other of ['2.2.3', '2.2.5', '2.3.0', '3.0.0', '2.2.4-beta.1']) {
    installed.version = other;
    const refused = expect.objectContaining({ code: 'kafkajs_version_unsupported', canRetry: false });
    expect(client, other).toThrow(refused);
    expect(client, other).toThrow(
      new RegExp(`kafkajs ${other} is installed, .* kafkajs ${PATCHED_KAFKAJS_VERSION}.*npm ci.*README`),
    );
  }
  expect(prototype.fetch).toBe(unchanged);

  installed.version = version;
  client();
  // Another test of this process may have had a client before.
  expect(String(prototype.fetch)).toContain('markAborted');
  const changedOnce = prototype.fetch;
  client();
  expect(prototype.fetch).toBe(changedOnce);
});

test('package.json pins the version that the patches were written for', () => {
  const { dependencies } = JSON.parse(readFileSync(packagePath('package.json'), 'utf8'));
  expect(dependencies.kafkajs).toBe(PATCHED_KAFKAJS_VERSION);
});

test('no other file names internals of kafkajs, and the README describes every patch', () => {
  const found = execFileSync('git', ['grep', '-lE', 'kafkajs/(src|package)', '--', 'src', 'test', 'bench'], {
    cwd: packagePath('.'),
    encoding: 'utf8',
  });
  expect(
    found
      .trim()
      .split('\n')
      .filter((path) => !path.startsWith(`${FOLDER}/`)),
  ).toEqual([]);

  const readme = readFileSync(packagePath(`${FOLDER}/README.md`), 'utf8');
  const patches = readdirSync(packagePath(FOLDER)).filter((name) => /^patch-.*(?<!\.test)\.ts$/.test(name));
  expect(patches.length).toBeGreaterThan(0);
  for (const name of patches) expect(readme).toContain(name);
});
