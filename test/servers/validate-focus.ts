import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { TestServerError } from '../../src/development/servers/test-server-error.ts';
import { pythonPackages } from './python-packages.ts';

/** Its pandera does not run with a newer multimethod. */
const REQUIREMENTS = ['focus-validator==1.0.0', 'multimethod==1.10'];
const VALIDATION_TIMEOUT_MS = 180_000;

/**
 * Returns the rules that a CSV file fails in the published validator of FOCUS (focus-validator, through pip). It knows
 * version 1.0, whose columns 1.2 has too. Rejects with a `TestServerError` where it does not run.
 */
export async function validateFocus(csv: string, file: string): Promise<string[]> {
  const packages = await pythonPackages('focus-validator-1.0.0', REQUIREMENTS);
  await writeFile(file, csv);
  const script = 'from focus_validator.main import main; main()';
  const args = ['-c', script, '--data-file', file, '--validate-version', '1.0'];
  const env = { ...process.env, PYTHONPATH: packages };
  const { stdout, stderr } = await promisify(execFile)('python3', args, {
    env,
    timeout: VALIDATION_TIMEOUT_MS,
    maxBuffer: 1 << 26,
  }).catch((error: { stdout?: string; stderr?: string }) => ({
    stdout: error.stdout ?? '',
    stderr: error.stderr ?? '',
  }));
  const report = stdout + stderr;
  // A file that passes every rule has no errors; another one has the name of each failed rule.
  if (!/Validation (failed|succeeded)/.test(report)) {
    throw new TestServerError(
      'no_python',
      `focus-validator does not run; it needs Python 3.9 to 3.12:\n${report.slice(-2000)}`,
    );
  }
  return [...report.matchAll(/^(\w+) failed:$/gm)].map(([, rule]) => rule).sort();
}
