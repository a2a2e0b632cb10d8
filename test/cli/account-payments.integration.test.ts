import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { camt053, type Entry } from '../../src/finance/accounts/camt053.fixture.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { Zerorate } from './zerorate.fixture.ts';

let zerorate: Zerorate;
/** Ends a test that hangs, also on a busy machine. */
const LIMIT_MS = 600_000;
const STORE = ['--catalogue', 'catalogue.yaml', '--store', 'store'];

beforeAll(async () => {
  zerorate = await Zerorate.build();
  const demo = readFileSync(packagePath('fixtures/demo/catalogue.yaml'), 'utf8');
  writeFileSync(
    zerorate.path('catalogue.yaml'),
    demo.replace('  - id: lumen\n', '  - id: lumen\n    bankAccounts: ["JP 12 3456"]\n'),
  );
});
afterAll(() => zerorate?.remove());

function load(entries: readonly Entry[], options: { statementId?: string; dryRun?: boolean; args?: string[] } = {}) {
  const { dryRun = false, args = [], ...statement } = options;
  writeFileSync(zerorate.path('bank.xml'), camt053(entries, statement));
  const more = dryRun ? ['--dry-run', ...args] : args;
  return zerorate.run(['account', 'payment', '--camt053', 'bank.xml', '--who', 'ada', ...more, ...STORE]);
}

test(
  'a bank statement is booked, listed with its lines, and ends with 1 where a credit is not booked',
  async () => {
    const loaded = await load([
      { reference: 'R1', amount: '0100.50', text: 'for chatter' },
      { reference: 'R2', amount: '5000', currency: 'JPY', iban: 'JP123456' },
      { reference: 'R3', text: 'hello' },
    ]);
    expect(loaded.stdout).toMatch(/^bank\.xml:4 .* chatter +booked +entry 1, by sponsor id$/m);
    expect(loaded.stdout).toMatch(/^bank\.xml:5 .* lumen +booked +entry 2, by debtor account$/m);
    expect(loaded.stdout).toMatch(/^bank\.xml:6 .* NOT BOOKED +names no invoice/m);
    expect(loaded.stdout).toMatch(/^2 booked, 1 NOT BOOKED$/m);
    expect(loaded.code).toBe(1);
    const dry = await load(
      [
        { reference: 'R1', amount: '100.5', text: 'chatter' },
        { reference: 'D1', text: 'chatter' },
      ],
      {
        dryRun: true,
      },
    );
    expect(dry.stdout).toMatch(/^1 would be booked, 1 booked before$/m);
    expect(dry.code).toBe(0);
  },
  LIMIT_MS,
);

test(
  'options of one payment and other files are refused',
  async () => {
    expect(await load([], { args: ['--key', 'x'] })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--key'),
    });
    const pay = (...args: string[]) => zerorate.run(['account', 'payment', ...args, ...STORE]);
    expect((await pay('--camt053', 'none.xml')).stderr).toContain('none.xml: cannot be read');
    const missing = expect.stringContaining('--amount, --currency, --key, --why');
    expect(await pay('--sponsor', 'chatter')).toMatchObject({ code: 2, stderr: missing });
    expect(await pay('--dry-run', '--sponsor', 'chatter')).toMatchObject({ code: 2 });
  },
  LIMIT_MS,
);
