import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';

/** A page's examples run where those of the pages before have run. */
const FIRST_PAGES = ['README.md', 'docs/finance.md'];
const PAGES = [
  ...FIRST_PAGES,
  ...readdirSync(packagePath('docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`)
    .filter((path) => !FIRST_PAGES.includes(path))
    .sort(),
];
const EXAMPLE = /^(?:<!-- not run: (.+) -->\n)?```sh\n([\s\S]*?)^```$/gm;
const EXAMPLES = PAGES.flatMap((page) => {
  const text = readFileSync(packagePath(page), 'utf8');
  return [...text.matchAll(EXAMPLE)].map(([, reason, script], at) => ({
    name: `${page}, example ${at + 1}: ${script.split('\n')[0]}`,
    reason,
    script,
  }));
});

/** Ends an example that hangs. */
const EXAMPLE_TIMEOUT_MS = 600_000;

let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'zerorate-examples-'));
  for (const name of ['bin', 'dist', 'fixtures', 'schemas']) symlinkSync(packagePath(name), join(directory, name));
  await run('bin/zerorate demo');
}, EXAMPLE_TIMEOUT_MS);
afterAll(() => rmSync(directory, { recursive: true }));

/** As a reader would paste it; the first command that fails ends it. */
function run(script: string): Promise<{ stdout: string }> {
  const { ZERORATE_PSEUDONYM_KEY: _, ...env } = process.env;
  return promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: directory,
    env,
    maxBuffer: 1 << 26,
    timeout: EXAMPLE_TIMEOUT_MS,
  });
}

describe('the examples of the documents run as printed after `npm start`', () => {
  test.each(EXAMPLES.filter(({ reason }) => reason === undefined))(
    '$name',
    async ({ script }) => {
      const { stdout } = await run(script);
      expect(stdout).not.toMatch(/undefined|NaN|\[object /);
    },
    EXAMPLE_TIMEOUT_MS,
  );

  test('those that are not run are few, and each says why', () => {
    // Those of the loop run in a test of their own, with a broker and a store.
    const left = EXAMPLES.filter(({ reason, name }) => reason !== undefined && !name.startsWith('docs/loop.md'));
    const known = [
      /^needs (Kafka|an export|the configuration|the file of a bank|a recycling)/,
      /^takes hours$/,
      /^the records are corrected by hand$/,
      /^it installs/,
    ];
    for (const { reason, name } of left)
      expect(
        known.some((each) => each.test(reason ?? '')),
        `${name}: ${reason}`,
      ).toBe(true);
    expect(EXAMPLES.length - left.length).toBeGreaterThan(left.length);
  });
});
