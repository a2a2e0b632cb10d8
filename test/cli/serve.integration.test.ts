import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { builtModule } from '../servers/built.ts';
import { Zerorate } from './zerorate.fixture.ts';

let zerorate: Zerorate;
let child: ChildProcess;
let url: string;

beforeAll(async () => {
  zerorate = await Zerorate.build();
  await zerorate.run(['generate', '--out', 'flows.ndjson', '--records', '2000', '--seed', '3']);
  const catalogue = packagePath('fixtures/demo/catalogue.yaml');
  const run = ['run', '--catalogue', catalogue, '--source', 'flows.ndjson', '--store', 'store'];
  expect(await zerorate.run(run)).toMatchObject({ code: 0 });
  const args = [await builtModule('main.js'), 'serve', '--store', 'store', '--port', '0'];
  child = spawn(process.execPath, args, { cwd: zerorate.directory, stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const [line] = (await once(lines, 'line')) as [string];
  url = /http:\S+/.exec(line)?.[0] ?? line;
});
afterAll(async () => {
  child?.kill('SIGKILL');
  await zerorate?.remove();
});

test('a store is served until it is stopped, and is as it was after that', async () => {
  const sum = 'SELECT toString(sum(charge_micros)) AS micros FROM charges';
  const answer = (await (await fetch(url, { method: 'POST', body: sum })).text()).trim();
  const page = await fetch(url, { headers: { accept: 'text/html' } });
  expect([page.status, (await page.text()).includes('Lumen Video')]).toEqual([200, true]);

  const second = await zerorate.run(['query', 'SELECT 1', '--store', 'store']);
  expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining('the store is in use by another process') });

  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  expect(await zerorate.rows(sum, 'store')).toEqual([{ micros: answer }]);
});

test.each<[string, string[], RegExp]>([
  ['no store named', [], /--store/],
  ['no store there', ['--store', 'never'], /never: no store is there/],
  ['a port that is none', ['--store', 'store', '--port', '70000'], /A port is from 0 to 65535/],
])('refused with exit code 2: %s', async (_, args, line) => {
  const { code, stderr } = await zerorate.run(['serve', ...args]);
  expect(stderr).toMatch(line);
  expect(code).toBe(2);
});

test('an empty folder is no store', async () => {
  await mkdir(zerorate.path('empty'));
  expect(await zerorate.run(['serve', '--store', 'empty'])).toMatchObject({ code: 2 });
});
