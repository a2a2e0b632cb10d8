import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { Zerorate } from './zerorate.fixture.ts';

/** The shell commands of the page, by the heading that they are under. */
const COMMANDS = [
  ...readFileSync(packagePath('docs/operate/backup.md'), 'utf8').matchAll(/^```sh\n([\s\S]*?)^```$/gm),
].map(([, commands]) => commands.trim());
const TOTALS =
  'SELECT sponsor_id, currency, count() AS records, sum(charge_micros) AS micros, sum(sponsored_octets) AS octets ' +
  'FROM charges GROUP BY sponsor_id, currency ORDER BY sponsor_id';
/** As the page names them. */
const CATALOGUE = 'fixtures/demo/catalogue.yaml';
const STORE = 'zerorate-data/store';
const FLOWS = 'zerorate-data/flows.ndjson';
let zerorate: Zerorate;

beforeAll(async () => {
  zerorate = await Zerorate.build();
  cpSync(packagePath(CATALOGUE), zerorate.path(CATALOGUE));
  mkdirSync(zerorate.path('zerorate-data'));
});
afterAll(() => zerorate?.remove());

const shell = (command: string) => promisify(execFile)('bash', ['-ec', command], { cwd: zerorate.directory });
const run = () => zerorate.run(['run', '--catalogue', CATALOGUE, '--source', FLOWS, '--store', STORE]);

test('a store that is restored as the page says ends where an undisturbed one does', async () => {
  const [backUp, restore, afterwards] = COMMANDS;
  await zerorate.run(['generate', '--out', 'all.ndjson', '--records', '3000', '--seed', '5', '--duplicate', '0.01']);
  const lines = readFileSync(zerorate.path('all.ndjson'), 'utf8').split(/(?<=\n)/);
  writeFileSync(zerorate.path(FLOWS), lines.slice(0, 1500).join(''));
  expect(await run()).toMatchObject({ code: 0 });
  await shell(backUp);
  const atBackup = await zerorate.rows(TOTALS, STORE);

  writeFileSync(zerorate.path(FLOWS), lines.join(''));
  expect(await run()).toMatchObject({ code: 0 });
  const undisturbed = await zerorate.rows(TOTALS, STORE);
  expect(undisturbed).not.toEqual(atBackup);

  await shell(restore);
  // The source has all of it, whatever was restored.
  writeFileSync(zerorate.path(FLOWS), lines.join(''));
  expect(await zerorate.rows(TOTALS, STORE)).toEqual(atBackup);
  for (const command of afterwards.split('\n')) {
    const [, ...args] = command.split(' ');
    expect(await zerorate.run(args), command).toMatchObject({ code: 0 });
  }
  expect(await zerorate.rows(TOTALS, STORE)).toEqual(undisturbed);
});
