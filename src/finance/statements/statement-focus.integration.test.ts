import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { validateFocus } from '../../../test/servers/validate-focus.ts';
import { TEST_INVOICE, testLine, testStatement, testTerms, testTier } from './statement.fixture.ts';
import { statementFocus } from './statement-focus.ts';

const LIMIT_MS = 1_500_000;

/**
 * Faults that the validator reports in every file of FOCUS 1.0 or later: it expects the column names of before 1.0
 * (`Provider` is `ProviderName`, `ChargeType` is `ChargeCategory`), and its own list of currencies is not in its package.
 */
const ITS_OWN_FAULTS = [
  'BillingCurrency_IsCurrencyCode',
  'InvoiceIssuer_Required',
  'Provider_Required',
  'Publisher_Required',
  'ResourceID_Required',
  'SkuPriceId_Nullable',
];

test(
  'costs satisfy the rules of the published FOCUS validator',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'zerorate-focus-'));
    const lines = [0n, 1n, 2n].map((at) =>
      testLine({ planId: `p-${at}`, tiers: [testTier(1_234_567n + at, 3_210_987n)] }),
    );
    // Rules apply to columns as a whole, so rows of all kinds are in one file.
    const csv = statementFocus(
      testStatement({ invoice: TEST_INVOICE, lines, openingMicros: 3_000_000n, monthlyTerms: testTerms(10_000_000n) }),
    );
    try {
      expect(await validateFocus(csv, join(directory, 'costs.csv'))).toEqual(ITS_OWN_FAULTS);
      const broken = csv.replace(',Usage,', ',Bought,').replace('BillingAccountName', 'AccountName');
      const faults = await validateFocus(broken, join(directory, 'broken.csv'));
      expect(faults).toContain('BillingAccountName_Required');
      expect(faults.length).toBeGreaterThan(ITS_OWN_FAULTS.length);
    } finally {
      await rm(directory, { recursive: true });
    }
  },
  LIMIT_MS,
);
