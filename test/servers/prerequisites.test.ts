import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';

const empty = mkdtempSync(join(tmpdir(), 'zerorate-path-'));
afterAll(() => rmSync(empty, { recursive: true }));

/** Runs the first step of `npm test`, on a machine with only the programs that `env` names. */
async function check(env: Record<string, string>): Promise<{ code: number; output: string }> {
  const main = packagePath('test/servers/prerequisites-main.ts');
  const args = ['--import', 'tsx', main];
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { env });
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stderr } = error as { code: number; stderr: string };
    return { code, output: stderr };
  }
}

test('one line names all missing programs and how to install them', async () => {
  const { code, output } = await check({ PATH: empty });
  expect(code).toBe(1);
  expect(output.trim().split('\n')).toHaveLength(1);
  expect(output).toMatch(/promtool \(or PROMTOOL=<path>\).*Java.*Maven.*: apt-get install -y .*prometheus.*maven/);
});

test('a program named by a variable is not missing', async () => {
  const promtool = join(empty, 'mine');
  writeFileSync(promtool, '#!/bin/sh\n', { mode: 0o755 });
  const { output } = await check({ PATH: empty, PROMTOOL: promtool });
  expect(output).not.toContain('promtool');
});
