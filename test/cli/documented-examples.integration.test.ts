import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { filesUnder } from '../docs/files-under.ts';

/** A page's examples run where those of the pages before have run. */
const FIRST_PAGES = [
  'README.md',
  'docs/tutorials/first-bill.md',
  'docs/tutorials/close-a-month.md',
  ...['accounts', 'statements', 'closing', 'corrections', 'rejections', 'analysis'].map(
    (name) => `docs/finance/${name}.md`,
  ),
];
/** Their examples run in tests of their own, with a broker and a store. */
const PAGES_WITH_A_BROKER = ['docs/tutorials/sponsored-session.md', 'docs/tutorials/kafka-and-clickhouse.md'];
const PAGES = [
  ...FIRST_PAGES,
  ...filesUnder(['docs', 'examples'], /\.md$/).filter((path) => !FIRST_PAGES.includes(path)),
];
const EXAMPLE =
  /^(?:<!-- not run: (.+) -->\n)?```sh\n([\s\S]*?)^```$(?:(?:(?!^```)[\s\S])*?^```text\n([\s\S]*?)^```$)?/gm;
const EXAMPLES = PAGES.flatMap((page) => {
  const text = readFileSync(packagePath(page), 'utf8');
  return [...text.matchAll(EXAMPLE)].map(([, reason, script, printed = ''], at) => ({
    name: `${page}, example ${at + 1}: ${script.split('\n')[0]}`,
    page,
    reason,
    script,
    printed: printed.split('\n').filter((line) => !/^\s*…?$/.test(line)),
  }));
});

/** Ends an example that hangs. */
const EXAMPLE_TIMEOUT_MS = 600_000;

let directory: string;
let demoOutput: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'zerorate-examples-'));
  for (const name of ['bin', 'dist', 'examples', 'fixtures', 'schemas'])
    symlinkSync(packagePath(name), join(directory, name));
  demoOutput = (await run('bin/zerorate demo')).stdout;
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

/** Returns the lines that are in the text, in this order. `…` in a line is a number that differs from run to run. */
function linesIn(text: string, lines: readonly string[]): string[] {
  const printed = text.split('\n').map((line) => line.trimEnd());
  let at = 0;
  return lines.filter((line) => {
    const parts = line
      .trimEnd()
      .split('…')
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    const pattern = new RegExp(`^${parts.join('\\d+')}$`);
    const found = printed.findIndex((each, index) => index >= at && pattern.test(each));
    if (found >= 0) at = found + 1;
    return found >= 0;
  });
}

describe('the examples of the documents run as printed after `npm start`', () => {
  test.each(EXAMPLES.filter(({ reason }) => reason === undefined))(
    '$name',
    async ({ script, printed }) => {
      const { stdout } = await run(script);
      expect(stdout).not.toMatch(/undefined|NaN|\[object /);
      expect(linesIn(stdout, printed)).toEqual(printed);
    },
    EXAMPLE_TIMEOUT_MS,
  );

  test('what `npm start` prints is in the README', () => {
    const [{ script, printed }] = EXAMPLES;
    expect(script).toContain('npm start');
    expect(printed.length).toBeGreaterThan(10);
    expect(linesIn(demoOutput, printed)).toEqual(printed);
  });

  test('those that are not run are few, and each says why', () => {
    const left = EXAMPLES.filter(({ reason, page }) => reason !== undefined && !PAGES_WITH_A_BROKER.includes(page));
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
