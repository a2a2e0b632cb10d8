import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { type Finished, Zerorate } from './zerorate.fixture.ts';

const CATALOGUE = packagePath('fixtures/demo/catalogue.yaml');
const SOURCE = ['--source', 'flows.ndjson', '--store', 'store'];

let zerorate: Zerorate;

beforeAll(async () => {
  zerorate = await Zerorate.build();
  writeFileSync(zerorate.path('catalogue.yaml'), readFileSync(CATALOGUE));
  const faults = ['--malformed', '0.02', '--duplicate', '0.02', '--late', '0.02'];
  await done(['generate', '--out', 'flows.ndjson', '--records', '3000', '--seed', '4', ...faults]);
  await done(['run', '--catalogue', 'catalogue.yaml', ...SOURCE]);
});
afterAll(() => zerorate?.remove());

async function done(args: readonly string[]): Promise<Finished> {
  const finished = await zerorate.run(args);
  expect(finished.code, finished.stdout + finished.stderr).toBe(0);
  return finished;
}

/** Changes a file, does the work, and puts the file back. */
async function withChanged(name: string, change: (text: string) => string, work: () => Promise<void>): Promise<void> {
  const text = readFileSync(zerorate.path(name), 'utf8');
  const changed = change(text);
  expect(changed).not.toBe(text);
  writeFileSync(zerorate.path(name), changed);
  await work();
  writeFileSync(zerorate.path(name), text);
}

test('a journal that the engine wrote agrees with its source, and a replay gives the same digests', async () => {
  const { stdout } = await done(['audit', ...SOURCE]);
  expect(stdout.split('\n').filter((line) => line.startsWith('holds'))).toHaveLength(14);
  expect(stdout).toMatch(/1 batch audited; 1 computed again from the source/);
  expect((await done(['replay', '--verify', ...SOURCE])).stdout).toMatch(/files/);
});

test('a replay takes the catalogue that was booked, not the one of today', async () => {
  writeFileSync(zerorate.path('catalogue.yaml'), 'sponsors: []');
  await done(['replay', '--verify', ...SOURCE, '--lane', 'files', '--from', '1', '--to', '1']);
});

describe('what does not hold is named, and the exit code is 1', () => {
  test('a record that the source has otherwise', async () => {
    await withChanged(
      'flows.ndjson',
      // Not in the first record, by which a file is known.
      (text) => text.replace(/(?<=\n.*"uplinkOctets":)(\d+)/g, (octets) => String(Number(octets) + 1)),
      async () => {
        const audit = await zerorate.run(['audit', ...SOURCE]);
        expect(audit.stdout).toMatch(/^charges: files@1: /m);
        expect(audit.stdout).toMatch(/^BROKEN {2}charges/m);
        expect(audit.code).toBe(1);
        const replay = await zerorate.run(['replay', '--verify', ...SOURCE]);
        expect(replay.stdout).toMatch(/files@1|files.*1/);
        expect(replay.code).toBe(1);
        // Of itself the journal still holds.
        await done(['audit', '--store', 'store']);
      },
    );
  });

  test('a source that has nothing of what was booked', async () => {
    const other = (text: string) => text.split('\n').slice(1).join('\n');
    await withChanged('flows.ndjson', other, async () => {
      const { code, stdout } = await zerorate.run(['audit', ...SOURCE]);
      expect(stdout).toMatch(/^unread {2}source/m);
      expect(stdout).toMatch(/0 computed again from the source, which has no records of 1$/m);
      expect(code).toBe(1);
    });
  });

  test('a quota update that no consumer got', async () => {
    const lost = (text: string) => text.split('\n').slice(3).join('\n');
    await withChanged('store/quota-updates.ndjson', lost, async () => {
      const { code, stdout } = await zerorate.run(['audit', ...SOURCE]);
      expect(stdout).toMatch(/^quotas: [0-9a-f]{32}\|.*the consumer nothing$/m);
      expect(stdout).toMatch(/^BROKEN {2}quotas/m);
      expect(code).toBe(1);
    });
  });
});

test.each<[string, string[], RegExp]>([
  ['no store', ['audit', '--store', 'nowhere'], /nowhere/],
  ['no source', ['audit', '--store', 'store', '--against-source'], /source/],
  ['no number', ['replay', '--verify', ...SOURCE, '--from', 'first'], /from/],
  ['not asked to verify', ['replay', ...SOURCE], /--verify/],
])('%s is refused with exit code 2', async (_, args, message) => {
  const { code, stderr } = await zerorate.run(args);
  expect(stderr).toMatch(message);
  expect(code).toBe(2);
});
