import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';

/** All that a user runs or reads. Modules of `dist` each have their source in `src`. */
const ALLOWED = [
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/,
  /^bin\/zerorate$/,
  /^dist\/.+\.js$/,
  /^dist\/(rating\/kernel\/admission|journal\/quota-kernel\/[\w-]+)\.wasm$/,
  /^schemas\/[\w.-]+\.(json|avsc)$/,
  /^schemas\/clickhouse\/[\w-]+\.sql$/,
  /^fixtures\/demo\/[\w-]+\.(yaml|csv|txt)$/,
];
const MAX_OCTETS = 5 * 2 ** 20;

interface Packed {
  unpackedSize: number;
  files: { path: string }[];
}

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'zerorate-package-'));
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
    cwd: packagePath('.'),
    encoding: 'utf8',
  });
  for (const file of listed
    .trim()
    .split('\n')
    .filter((name) => existsSync(packagePath(name))))
    cpSync(packagePath(file), join(directory, file));
  symlinkSync(packagePath('node_modules'), join(directory, 'node_modules'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('the package holds what a user runs, and nothing else', async () => {
  // Of a layout before this one.
  mkdirSync(join(directory, 'dist/testing'), { recursive: true });
  writeFileSync(join(directory, 'dist/testing/left-over.js'), '');
  const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json'], {
    cwd: directory,
    maxBuffer: 1 << 26,
  });
  const [{ files, unpackedSize }] = JSON.parse(stdout.slice(stdout.indexOf('[\n'))) as Packed[];
  const paths = files.map(({ path }) => path);
  expect(paths.filter((path) => !ALLOWED.some((pattern) => pattern.test(path)))).toEqual([]);

  const sourceOf = (path: string) => path.replace(/^dist\/(.*)\.js$/, 'src/$1.ts');
  const modules = paths.filter((path) => /^dist\/.*\.js$/.test(path));
  expect(modules).toContain('dist/main.js');
  expect(modules.filter((path) => !existsSync(packagePath(sourceOf(path))))).toEqual([]);
  expect(modules.filter((path) => /\.(test|fixture)\.js$/.test(path))).toEqual([]);
  for (const needed of [
    'bin/zerorate',
    'dist/rating/kernel/admission.wasm',
    'schemas/flow-record.avsc',
    'fixtures/demo/catalogue.yaml',
    'LICENSE',
  ])
    expect(paths).toContain(needed);
  expect(unpackedSize).toBeLessThan(MAX_OCTETS);
});

test('every file that states the version of the engine states that of the package', () => {
  const read = (path: string) => readFileSync(packagePath(path), 'utf8');
  const { version } = JSON.parse(read('package.json'));
  const stated = {
    'package-lock.json': JSON.parse(read('package-lock.json')).version,
    'docker/Dockerfile': /^ARG VERSION=(\S+)$/m.exec(read('docker/Dockerfile'))?.[1],
    'docker/compose.yaml': /image: zerorate:(\S+)$/m.exec(read('docker/compose.yaml'))?.[1],
    'docker/helm/zerorate/Chart.yaml': /^appVersion: (\S+)$/m.exec(read('docker/helm/zerorate/Chart.yaml'))?.[1],
  };
  expect(stated).toEqual(Object.fromEntries(Object.keys(stated).map((path) => [path, version])));
  const search = ['grep', '-lF', `'${version}'`, '--', 'src', ':!*.test.ts'];
  expect(spawnSync('git', search, { cwd: packagePath('.'), encoding: 'utf8' }).stdout).toBe('');
});
