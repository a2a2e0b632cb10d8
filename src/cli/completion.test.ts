import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { completionScript } from './completion.ts';
import { loadProgram } from './load-program.ts';

/** What bash offers for the last of the words. */
function completed(script: string, ...words: string[]): string[] {
  const typed = ['zerorate', ...words];
  const lines = `${script}
COMP_WORDS=(${typed.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${typed.length - 1}
_zerorate; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', lines], { encoding: 'utf8' }).split('\n').filter(Boolean);
}

test('commands, subcommands and options are completed, with other words between them', async () => {
  const script = completionScript(await loadProgram(), 'bash');
  expect(completed(script, 'rej')).toEqual(['rejections']);
  expect(completed(script, 'account', 'top')).toEqual(['top-up']);
  expect(completed(script, 'run', '--catalogue', 'run', '--sto')).toEqual(['--store']);
  expect(completed(script, 'account', '--he')).toEqual(['--help']);
  expect(completed(script, 'no-such', '--sto')).toEqual([]);
});
