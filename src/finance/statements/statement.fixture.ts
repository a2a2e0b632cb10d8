import type { Invoice } from './invoice.ts';
import { billTerms } from './monthly-terms.ts';
import { digestOfBatches, statementDue, sumOf, tierAmountMicros, totalsOf } from './statement-arithmetic.ts';
import type { Statement, StatementLine, StatementTerms, StatementTier } from './statement-document.ts';

const HASH = 'ab'.repeat(32);

export const TEST_INVOICE: Invoice = {
  number: 'ZR-000017',
  issueDate: '2026-11-02',
  dueDate: '2026-12-02',
  termsDays: 30,
  seller: {
    legalName: 'Example Mobile GmbH',
    taxId: 'DE123456789',
    address: { street: 'Hauptstr. 1', city: 'Berlin', postalCode: '10115', country: 'DE' },
    bankAccount: { id: 'DE02120300000000202051', bankId: 'BYLADEM1001' },
  },
  buyer: {
    legalName: 'Chatter & <sons> Ltd.',
    taxId: 'FR12345678901',
    address: { street: '2 rue X', city: 'Paris', postalCode: '75001', country: 'FR' },
    tax: { category: 'S', rate: '19' },
    reference: 'dept-7',
  },
};

/** Returns octets in a tier at a price for a MiB. */
export function testTier(octets: bigint, pricePerMiBMicros: bigint): StatementTier {
  const amountMicros = tierAmountMicros(octets, pricePerMiBMicros);
  return { fromOctets: 0n, toOctets: null, pricePerMiBMicros, octets, amountMicros };
}

/** Returns a line of one open tier, or of the given tiers. */
export function testLine(overrides: Partial<StatementLine> = {}): StatementLine {
  if (overrides.tiers !== undefined) {
    const { tiers, ...rest } = overrides;
    const sponsoredOctets = sumOf(tiers, ({ octets }) => octets);
    const chargeMicros = sumOf(tiers, ({ amountMicros }) => amountMicros) + 3n;
    return { ...testLine({ ...rest, sponsoredOctets, chargeMicros }), tiers };
  }
  const octets = overrides.sponsoredOctets ?? 5_242_880n;
  const amountMicros = tierAmountMicros(octets, 2_000_000n);
  return {
    applicationId: 'chat',
    planId: 'chat-monthly',
    planVersion: 1,
    usageMonth: '2026-10',
    isAdjustment: false,
    records: 1234,
    sponsoredOctets: octets,
    subscriberOctets: 1_048_576n,
    chargeMicros: amountMicros + 3n,
    tiers: [{ fromOctets: 0n, toOctets: null, pricePerMiBMicros: 2_000_000n, octets, amountMicros }],
    roundingMicros: 3n,
    ...overrides,
  };
}

/** Returns terms with a fee of 5, a rebate of 2.5 % and a commitment of 50, on charges of so many micro-units. */
export function testTerms(chargeMicros: bigint, sponsoredOctets = 6_291_456n): StatementTerms[] {
  const volumeRebate = { appliesTo: 'all_charges' as const, bands: [{ fromOctets: 1_048_576n, basisPoints: 250 }] };
  const sums = { flatFeeMicros: 5_000_000n, minimumCommitmentMicros: 50_000_000n, volumeRebate };
  return billTerms([{ id: 'chatter-2026', version: 2, applicationId: null, ...sums }], () => ({
    chargeMicros,
    sponsoredOctets,
  }));
}

/** Returns a closed statement with an item in each of its sections. */
export function testStatement({
  openingMicros = -7_000_000n,
  ...overrides
}: Partial<Statement> & { openingMicros?: bigint } = {}): Statement {
  const usage = { sponsoredOctets: 5_242_880n, subscriberOctets: 1_048_576n, chargeMicros: 10_000_003n };
  const parts = {
    lines: [
      testLine(),
      testLine({ usageMonth: '2026-09', isAdjustment: true, records: 7, sponsoredOctets: 1_048_576n }),
    ],
    corrections: [
      {
        number: 4,
        name: 'new prices',
        who: 'Grace',
        why: 'agreed "again", <b>',
        usageMonth: '2026-09',
        isAdjustment: true,
        rows: 2,
        sponsoredOctets: 0n,
        subscriberOctets: 0n,
        chargeMicros: -1_500_000n,
      },
    ],
    entries: [
      {
        number: 9,
        kind: 'payment',
        amountMicros: 25_000_000n,
        effectiveAt: '2026-10-07T08:09:10.000Z',
        bookedAt: '2026-10-07T08:09:11.000Z',
        who: 'Ada',
        why: '=1+1, "transfer"',
      },
    ],
    ...overrides,
  };
  const { invoice = null } = overrides;
  const { minorDigits } = overrides.sponsor ?? { minorDigits: 2 };
  const due = statementDue({ ...parts, invoice }, openingMicros, minorDigits);
  const batches = [{ digest: HASH }];
  return {
    format: 'zerorate-statement-1',
    sponsor: { id: 'chatter', name: 'Chatter & <sons>', currency: 'USD', minorDigits: 2 },
    month: '2026-10',
    isClosed: true,
    closing: { number: 3, closedAt: '2026-11-02T00:00:00.000Z', who: 'Ada' },
    isOpeningFinal: true,
    timeZones: [{ planId: 'chat-monthly', planVersion: 1, timeZone: 'America/Los_Angeles' }],
    byDay: [
      { day: '2026-10-01', ...usage },
      { day: '2026-10-04', ...usage },
    ],
    byApplication: [{ applicationId: 'chat', ...usage }],
    byContentType: [{ contentType: 'video', ...usage }],
    completeness: {
      missingRecords: { records: 5, sponsoredOctets: 512n, chargeMicros: 1_234_567n },
      rejections: [{ reason: 'period_closed', records: 11 }],
      lateRecords: {
        records: 7,
        sponsoredOctets: 1_048_576n,
        chargeMicros: 2_000_003n,
        settlements: [{ planId: 'chat-monthly', planVersion: 1, usageMonth: '2026-10', settledOn: '2026-11-10' }],
      },
      sourceGaps: [{ reason: 'records_lost', bookingDate: '2026-10-03' }],
    },
    totals: totalsOf(parts, openingMicros, minorDigits, due),
    due,
    invoice,
    proof: {
      merkleRoot: HASH,
      leaves: 1241,
      rowForm: 'zerorate-row-1',
      batches: { count: 1, digest: digestOfBatches(batches), list: batches },
    },
    ...parts,
    ...overrides,
  };
}
