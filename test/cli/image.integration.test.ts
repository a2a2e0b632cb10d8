import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { nodeBinary } from '../servers/node-binaries.ts';

/** Each instruction of the Dockerfile: its word, and the rest with continued lines joined. */
const INSTRUCTIONS = readFileSync(packagePath('docker/Dockerfile'), 'utf8')
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '')
  .map((line): [string, string] => [line.split(' ')[0], line.slice(line.indexOf(' ') + 1)]);
const NODE_VERSION = INSTRUCTIONS.find(([, rest]) => rest.startsWith('NODE_VERSION='))?.[1].split('=')[1] ?? '';
const lastOf = (word: string) => INSTRUCTIONS.findLast(([other]) => other === word)?.[1] ?? '';

let directory: string;
let image: string;
/** With the image's Node.js first. */
let path: string;

/** Carries out the Dockerfile's own COPY and RUN lines, with a folder for the root of each stage. */
async function build(context: string): Promise<string> {
  let [root, workdir] = ['', '/'];
  for (const [word, rest] of INSTRUCTIONS) {
    if (word === 'FROM') {
      root = join(directory, / AS (\w+)$/.exec(rest)?.[1] ?? 'runtime');
      mkdirSync(root);
    }
    if (word === 'WORKDIR') {
      workdir = rest;
      mkdirSync(join(root, workdir), { recursive: true });
    }
    if (word === 'RUN') {
      const env = { ...process.env, PATH: path };
      await promisify(execFile)('sh', ['-c', rest], { cwd: join(root, workdir), env, maxBuffer: 1 << 26 });
    }
    if (word === 'COPY') {
      const names = rest.split(' ').filter((part) => !part.startsWith('--'));
      const from = /--from=(\w+)/.exec(rest)?.[1];
      const target = names.pop() ?? '';
      for (const name of names) {
        const path = join(
          root,
          target.startsWith('/') ? target : join(workdir, target),
          target.endsWith('/') ? name : '',
        );
        mkdirSync(dirname(path), { recursive: true });
        if (from === undefined) cpSync(join(context, name), path, { recursive: true });
        else renameSync(join(directory, from, name), path);
      }
    }
  }
  return root;
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'zerorate-image-'));
  chmodSync(directory, 0o755);
  // Where the image's user may run it.
  const bin = join(directory, 'bin');
  cpSync(await nodeBinary(NODE_VERSION), join(bin, 'node'));
  path = `${bin}${delimiter}${process.env.PATH}`;
  const context = join(directory, 'context');
  const ignore = createRequire(import.meta.url)('@balena/dockerignore')().add(
    readFileSync(packagePath('.dockerignore'), 'utf8'),
  );
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
    cwd: packagePath('.'),
    encoding: 'utf8',
  });
  for (const file of ignore.filter(listed.trim().split('\n'))) cpSync(packagePath(file), join(context, file));
  image = await build(context);
}, 600_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('the image’s build steps make a program that runs as its user, and writes nothing but its data', () => {
  const [uid, gid] = lastOf('USER').split(':').map(Number);
  const data = join(image, 'data');
  execFileSync('chown', ['-R', `${uid}:${gid}`, data]);
  const [command, main] = JSON.parse(lastOf('ENTRYPOINT'));
  const isRoot = process.getuid?.() === 0;
  const zerorate = (...args: string[]) =>
    spawnSync(command, [join(image, main), ...args], {
      cwd: join(image, 'app'),
      encoding: 'utf8',
      env: { PATH: path, HOME: '/nonexistent', NODE_ENV: 'production' },
      ...(isRoot && { uid, gid }),
    });
  const flows = join(data, 'flows.ndjson');
  expect(zerorate('generate', '--out', flows, '--records', '1000')).toMatchObject({ status: 0 });
  const catalogue = 'fixtures/demo/catalogue.yaml';
  const run = zerorate('run', '--catalogue', catalogue, '--source', flows, '--store', join(data, 'store'));
  expect(run.stderr.split('\n').filter((line) => line.includes('"level":50'))).toEqual([]);
  expect(run).toMatchObject({ status: 0, stdout: expect.stringContaining('1 000 records read') });
});

test('the image holds what a user runs, under the Node.js that .nvmrc names', () => {
  expect(`${NODE_VERSION.split('.')[0]}\n`).toBe(readFileSync(packagePath('.nvmrc'), 'utf8'));
  const app = join(image, 'app');
  const { stdout } = spawnSync(join(directory, 'bin', 'node'), [join(app, 'dist/main.js'), '--version'], {
    encoding: 'utf8',
  });
  expect(stdout.trim()).toBe(JSON.parse(readFileSync(packagePath('package.json'), 'utf8')).version);

  const own = readdirSync(app, { recursive: true, encoding: 'utf8' }).filter((name) => !/^node_modules\b/.test(name));
  expect([...new Set(own.map((name) => name.split('/')[0]))].sort()).toEqual(
    ['bin', 'dist', 'fixtures', 'package.json', 'schemas'].sort(),
  );
  expect(own.filter((name) => /(^|\/)(test|bench)\/|\.(test|fixture)\.|\.(map|ts)$/.test(name))).toEqual([]);
  const modules = readdirSync(join(app, 'node_modules'));
  expect(
    modules.filter((name) => ['vitest', 'typescript', 'testcontainers', 'playwright-core'].includes(name)),
  ).toEqual([]);
});

test('nothing runs as root, and node itself gets the signals', () => {
  expect(lastOf('USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  expect(JSON.parse(lastOf('ENTRYPOINT'))[0]).toBe('node');
  for (const [, rest] of INSTRUCTIONS.filter(([word]) => word === 'FROM')) expect(rest).toMatch(/^node:\S+-slim/);
});
