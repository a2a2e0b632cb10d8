import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { INVARIANTS, invariantsOf } from '../../src/assurance/audit/invariants.ts';
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

/** Verdicts of an audit, and the invariants that they are on. */
function verdictsOf(stdout: string): string[][] {
  return [...stdout.matchAll(/^(holds|BROKEN|unread) +(\w+) +\S/gm)].map(([, verdict, invariant]) => [
    verdict,
    invariant,
  ]);
}

/** Faults by invariant, as an audit wrote them for Prometheus. */
function metricsOf(file: string): [invariant: string, faults: number][] {
  const lines = readFileSync(zerorate.path(file), 'utf8').matchAll(
    /^zerorate_audit_faults\{invariant="(\w+)"\} (\d+)$/gm,
  );
  return [...lines].map(([, invariant, faults]) => [invariant, Number(faults)]);
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
  expect(verdictsOf(stdout)).toEqual(Object.keys(INVARIANTS).map((name) => ['holds', name]));
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

test('verdicts and metrics are of all invariants that can be checked, and of what was found', async () => {
  const ofStore = invariantsOf(['store'], new Map());
  const plain = await done(['audit', '--store', 'store', '--metrics-file', 'plain.prom']);
  expect(verdictsOf(plain.stdout)).toEqual(ofStore.map((name) => ['holds', name]));
  expect(metricsOf('plain.prom')).toEqual(ofStore.map((name) => [name, 0]));
  await done(['audit', ...SOURCE, '--metrics-file', 'source.prom']);
  expect(metricsOf('source.prom')).toEqual(Object.keys(INVARIANTS).map((name) => [name, 0]));

  cpSync(zerorate.path('store'), zerorate.path('posted'), { recursive: true });
  const closing = "1, 'parley', '2026-01-01', 5";
  await zerorate.rows(`INSERT INTO closings (number, sponsor_id, month, closing_micros) SELECT ${closing}`, 'posted');
  const broken = await zerorate.run(['audit', '--store', 'posted', '--metrics-file', 'posted.prom']);
  expect(broken.code).toBe(1);
  const found = ['facts', 'monthly_terms'];
  expect(verdictsOf(broken.stdout)).toEqual(ofStore.map((name) => [found.includes(name) ? 'BROKEN' : 'holds', name]));
  expect(metricsOf('posted.prom')).toEqual(ofStore.map((name) => [name, found.includes(name) ? 1 : 0]));
});

test('without its catalogues a journal is not computed again, and the verdict names them', async () => {
  cpSync(zerorate.path('store'), zerorate.path('lost'), { recursive: true });
  await zerorate.rows('TRUNCATE TABLE catalogues', 'lost');
  const source = ['--source', 'flows.ndjson', '--store', 'lost'];
  const { code, stdout, stderr } = await zerorate.run(['audit', ...source, '--metrics-file', 'lost.prom']);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^catalogues: catalogue [0-9a-f]{64} is missing, and batch files@1 names it$/m);
  expect(stdout).toMatch(/^1 batch audited; nothing computed again: restore the catalogues first$/m);
  const verdict = ([name, { needs }]: [string, { needs: string }]) =>
    name === 'catalogues' ? 'BROKEN' : needs === 'store' ? 'holds' : 'unread';
  expect(verdictsOf(stdout)).toEqual(Object.entries(INVARIANTS).map((entry) => [verdict(entry), entry[0]]));
  expect(metricsOf('lost.prom')).toContainEqual(['catalogues', 1]);
  expect(stderr).not.toMatch(/^ +at /m);
  const replay = await zerorate.run(['replay', '--verify', ...source]);
  expect(replay.code).toBe(1);
  expect(replay.stderr).toMatch(/^the store has lost catalogue [0-9a-f]{64}: .* \[store_damaged\]$/m);
  expect(replay.stderr).not.toMatch(/^ +at /m);
});
