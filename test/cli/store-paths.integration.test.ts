import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { cp, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { testRecord } from '../../src/rating/traffic.fixture.ts';
import { builtModule } from '../servers/built.ts';
import { type Finished, Zerorate } from './zerorate.fixture.ts';

const command = promisify(execFile);
const CATALOGUE = packagePath('fixtures/cases/catalogue.yaml');
const UNPRIVILEGED_ID = 65534;
/** Mounts and another user's rights need it; the message of the test that fails without says so. */
const isRoot = process.getuid?.() === 0;
const requireRoot = () => expect(isRoot, 'run these tests as root: they mount file systems').toBe(true);

let zerorate: Zerorate;
let main: string;
let made: string;
const mounts: string[] = [];
let names = 0;
const fresh = () => zerorate.path(`path-${names++}`);

beforeAll(async () => {
  zerorate = await Zerorate.build();
  main = await builtModule('main.js');
  chmodSync(zerorate.directory, 0o755);
  writeFileSync(zerorate.path('flows.ndjson'), `${JSON.stringify(testRecord())}\n`);
  made = fresh();
  expect((await run(made)).code).toBe(0);
});
afterAll(async () => {
  for (const mount of mounts) await command('umount', ['-l', mount]).catch(() => undefined);
  await zerorate?.remove();
});

const run = (store: string, source = zerorate.path('flows.ndjson')) =>
  zerorate.run(['run', '--catalogue', CATALOGUE, '--source', source, '--store', store]);
const query = (store: string) => zerorate.run(['query', 'SELECT 1', '--store', store]);

async function mounted(sizeOctets: number): Promise<string> {
  requireRoot();
  const path = fresh();
  mkdirSync(path);
  await command('mount', ['-t', 'tmpfs', '-o', `size=${sizeOctets}`, 'tmpfs', path]);
  mounts.push(path);
  return path;
}

/** One line on stderr, none of a stack, and nothing on stdout. */
function expectOneLine({ code, stdout, stderr }: Finished, exitCode: number, message: RegExp) {
  expect(stderr).toMatch(message);
  expect([code, stdout, stderr.trimEnd().split('\n').length]).toEqual([exitCode, '', 1]);
}

describe('a path that cannot hold a store', () => {
  test.each<[string, (path: string) => string | Promise<string>, RegExp]>([
    ['a file', file, /cannot hold a store: .* is no directory; .*\[store_not_a_directory\]/],
    ['below a file', (path) => `${file(path)}/below/it`, /is no directory.*\[store_not_a_directory\]/],
    ['a device', () => '/dev/null', /is no directory.*\[store_not_a_directory\]/],
    ['a pipe', pipe, /is no directory.*\[store_not_a_directory\]/],
    ['proc', () => '/proc', /is on proc, .*\[store_not_a_directory\]/],
    ['below proc', () => '/proc/zerorate/store', /is on proc, .*\[store_not_a_directory\]/],
    ['sysfs', () => '/sys/zerorate', /is on sysfs, .*\[store_not_a_directory\]/],
    ['a link to itself', link, /is a link that leads back to itself.*\[store_not_a_directory\]/],
    ['a file in the place of its data', fileWithin, /clickhouse is no directory.*\[store_not_a_directory\]/],
    ['data that is none', garbageWithin, /ClickHouse cannot open what is in .*\[store_damaged\]/],
  ])('%s', async (name, path, message) => {
    const store = await path(fresh());
    expectOneLine(await run(store), name.startsWith('data') ? 1 : 2, message);
    if (!name.startsWith('data')) expectOneLine(await query(store), 2, message);
  });

  test('one on a read-only mount, whether there is a store or not (needs root)', async () => {
    const mount = await mounted(200 << 20);
    await cp(made, join(mount, 'store'), { recursive: true });
    await command('mount', ['-o', 'remount,ro', mount]);
    const message = /is on a file system that is mounted read-only.*\[store_not_writable\]/;
    expectOneLine(await run(join(mount, 'store')), 2, message);
    expectOneLine(await query(join(mount, 'store')), 2, message);
    expectOneLine(await run(join(mount, 'new', 'store')), 2, message);
  });

  test('one that this user may not use (needs root)', async () => {
    requireRoot();
    const message = /may not be read and written by this user.*\[store_not_writable\]/;
    const asUnprivileged = (args: readonly string[]): Promise<Finished> =>
      new Promise((resolve) => {
        execFile(
          process.execPath,
          [main, ...args],
          { uid: UNPRIVILEGED_ID, gid: UNPRIVILEGED_ID },
          (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
        );
      });
    const args = ['run', '--catalogue', CATALOGUE, '--source', zerorate.path('flows.ndjson'), '--store'];
    expectOneLine(await asUnprivileged([...args, made]), 2, message);
    expectOneLine(await asUnprivileged([...args, fresh()]), 2, message);
    const closed = fresh();
    mkdirSync(closed, { mode: 0o700 });
    expectOneLine(await asUnprivileged(['query', 'SELECT 1', '--store', join(closed, 'store')]), 2, message);
  });

  test('one on a disk that is full from the start (needs root)', async () => {
    const mount = await mounted(1 << 20);
    writeFileSync(join(mount, 'ballast'), Buffer.alloc((1 << 20) - 8192));
    expectOneLine(
      await run(join(mount, 'store')),
      1,
      /the disk of the store is full: 0 MiB are left; .*\[store_full\]/,
    );
  });

  test('no store at all', async () => {
    expectOneLine(await query(fresh()), 2, /no store is there; .*\[store_missing\]/);
  });
});

test('a disk that gets full is warned of at once, and the run ends well when there is room again (needs root)', async () => {
  const mount = await mounted(48 << 20);
  const store = join(mount, 'store');
  expect((await run(store)).code).toBe(0);
  const { bavail, bsize } = await statfs(mount);
  writeFileSync(join(mount, 'ballast'), Buffer.alloc(bavail * bsize - (256 << 10)));
  const more = zerorate.path('more.ndjson');
  writeFileSync(more, `${JSON.stringify(testRecord({ localSequenceNumber: 2 }))}\n`);
  const args = ['run', '--catalogue', CATALOGUE, '--source', more, '--store', store];
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const beganMs = performance.now();
  const warning = await lineOf(child, /does not take a batch/);
  expect(performance.now() - beganMs).toBeLessThan(60_000);
  expect(warning).toMatch(/"level":"warn"/);
  expect(warning).toContain(`${store}: the disk of the store is full: 0 MiB are left; make room on it`);
  const [again, , [code]] = await Promise.all([
    lineOf(child, /takes batches again/),
    command('rm', [join(mount, 'ballast')]),
    once(child, 'exit'),
  ]);
  expect([code, /"outageMs":\d+/.test(again)]).toEqual([0, true]);
  expect(await zerorate.rows('SELECT count() AS n FROM charges', store)).toEqual([{ n: 2 }]);
});

describe('a source that the engine writes into', () => {
  test.each<[string, (directory: string) => { source: string; store: string }, RegExp]>([
    ['the store in it', (directory) => ({ source: directory, store: `${directory}/store` }), /holds the store/],
    [
      'the store deep in it',
      (directory) => ({ source: directory, store: `${directory}/a/b/store` }),
      /holds the store/,
    ],
    ['the store itself', (directory) => ({ source: directory, store: directory }), /holds the store/],
    ['a link to it', linkTo, /holds the store/],
    ['the data of a store', () => ({ source: `${made}/clickhouse`, store: made }), /is within the data of the store/],
    [
      'the file of quota updates',
      () => ({ source: `${made}/quota-updates.ndjson`, store: made }),
      /is the file that quota updates are written to/,
    ],
  ])('%s', async (_, pathsOf, message) => {
    const directory = fresh();
    mkdirSync(directory);
    copyFileSync(zerorate.path('flows.ndjson'), join(directory, 'flows.ndjson'));
    const { source, store } = pathsOf(directory);
    expectOneLine(await run(store, source), 2, message);
  });

  test('a store beside its source, or above it, is fine', async () => {
    const directory = fresh();
    mkdirSync(join(directory, 'in'), { recursive: true });
    copyFileSync(zerorate.path('flows.ndjson'), join(directory, 'in', 'flows.ndjson'));
    expect((await run(directory, join(directory, 'in'))).code).toBe(0);
  });
});

describe('a source that cannot be read', () => {
  test.each<[string, (path: string) => string | Promise<string>, RegExp]>([
    ['a pipe', pipe, /is no regular file but a pipe/],
    ['a device', () => '/dev/null', /is no regular file but a device/],
    ['a socket', socket, /is no regular file but a socket/],
    ['proc', () => '/proc', /is on proc, .* holds no flow files/],
    ['a file of proc', () => '/proc/self/environ', /is on proc/],
    ['a link to itself', link, /is a link that leads back to itself/],
    ['below a file', (path) => `${file(path)}/flows.ndjson`, /a part of the path is no directory/],
    ['an empty directory', directory, /holds no flow file/],
    ['a directory that is in itself by a link', loop, /is a link back to .*, which it is in/],
    ['a packing that is not read', packed, /is packed in a way that is not read; unpack it, or pack it with gzip/],
  ])('%s', async (_, pathOf, message) => {
    const store = fresh();
    expectOneLine(await run(store, await pathOf(fresh())), 2, message);
  });

  test('an empty file is no error, and is said to be empty', async () => {
    const path = zerorate.path('empty.ndjson');
    writeFileSync(path, '');
    const { code, stdout, stderr } = await run(fresh(), path);
    expect([code, stdout.split('\n')[0]]).toEqual([0, expect.stringMatching(/^0 records read/)]);
    expect(stderr).toMatch(/the file is empty: it holds no record/);
  });

  test('a directory that a link leads to is read', async () => {
    const directory = fresh();
    mkdirSync(join(directory, 'in'), { recursive: true });
    mkdirSync(join(directory, 'elsewhere'));
    copyFileSync(zerorate.path('flows.ndjson'), join(directory, 'elsewhere', 'flows.ndjson'));
    symlinkSync(join(directory, 'elsewhere'), join(directory, 'in', 'link'));
    expect((await run(fresh(), join(directory, 'in'))).stdout).toMatch(/^1 record read/);
  });
});

function file(path: string): string {
  writeFileSync(path, 'a file');
  return path;
}

function directory(path: string): string {
  mkdirSync(path);
  return path;
}

async function pipe(path: string): Promise<string> {
  await command('mkfifo', [path]);
  return path;
}

async function socket(path: string): Promise<string> {
  const server = createServer().listen(path);
  await once(server, 'listening');
  server.unref();
  return path;
}

function link(path: string): string {
  symlinkSync(path, path);
  return path;
}

function loop(path: string): string {
  mkdirSync(path);
  symlinkSync(path, join(path, 'back'));
  return path;
}

function packed(path: string): string {
  mkdirSync(path);
  writeFileSync(join(path, 'flows.csv.zst'), 'x');
  return path;
}

function fileWithin(path: string): string {
  mkdirSync(path);
  writeFileSync(join(path, 'clickhouse'), '');
  return path;
}

function garbageWithin(path: string): string {
  mkdirSync(join(path, 'clickhouse'), { recursive: true });
  writeFileSync(join(path, 'clickhouse', 'data'), '');
  return path;
}

function linkTo(path: string): { source: string; store: string } {
  symlinkSync(path, `${path}-link`);
  return { source: `${path}-link`, store: join(path, 'store') };
}

async function lineOf({ stderr }: ChildProcess, pattern: RegExp): Promise<string> {
  let text = '';
  return new Promise((resolve, reject) => {
    stderr?.on('data', (part: Buffer) => {
      text += part.toString();
      const line = text.split('\n').find((candidate) => pattern.test(candidate));
      if (line !== undefined) resolve(line);
    });
    stderr?.on('end', () => reject(new Error(`no line ${pattern} in ${text}`)));
  });
}
