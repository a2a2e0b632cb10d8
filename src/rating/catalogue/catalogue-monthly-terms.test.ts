import { describe, expect, test } from 'vitest';
import { formatFault } from '../../formats/document-fault.ts';
import { catalogueFromCanonicalJson, parseCatalogue } from './catalogue-compile.ts';
import { compareCatalogues } from './compare-catalogues.ts';

const WITHOUT = `sponsors:
  - { id: s1, name: S, currency: EUR, creditLimit: "10" }
  - { id: s2, name: S, currency: JPY, creditLimit: "0" }
applications:
  - { id: a1, sponsor: s1, tags: [T1] }
  - { id: a2, sponsor: s2, tags: [T2] }
plans: []
`;
const LINES = [
  'monthlyTerms:',
  '  - { id: t1, version: 1, sponsor: s1, effectiveFrom: 2026-01-01, effectiveTo: 2026-07-01, flatFee: "500.00" }',
  '  - id: t1',
  '    version: 2',
  '    sponsor: s1',
  '    effectiveFrom: 2026-07-01',
  '    effectiveTo: null',
  '    minimumCommitment: "10000.00"',
  '    volumeRebate:',
  '      appliesTo: all_charges',
  '      bands: [{ fromOctets: 0, basisPoints: 100 }, { fromOctets: 1000000000000, basisPoints: 500 }]',
  '  - { id: t2, version: 1, sponsor: s1, application: a1, effectiveFrom: 2026-03-01, effectiveTo: null, flatFee: "7" }',
];
const GOOD = `${WITHOUT}${LINES.join('\n')}\n`;

function faultsWith(piece: string, replacement: string): string[] {
  expect(GOOD).toContain(piece);
  return (parseCatalogue(GOOD.replace(piece, replacement), 'c.yaml').faults ?? []).map(formatFault);
}

function parsed(text: string) {
  const { catalogue, faults } = parseCatalogue(text, 'c.yaml');
  if (catalogue === undefined) throw new Error(JSON.stringify(faults));
  return catalogue;
}

describe('monthly terms of a catalogue', () => {
  test('are compiled with months and micro-units, also from the canonical JSON', () => {
    const { monthlyTerms, canonicalJson } = parsed(GOOD);
    expect(monthlyTerms).toEqual([
      {
        id: 't1',
        version: 1,
        sponsorId: 's1',
        applicationId: null,
        fromMonth: '2026-01',
        toMonth: '2026-07',
        flatFeeMicros: 500_000_000,
        minimumCommitmentMicros: null,
        volumeRebate: null,
      },
      {
        id: 't1',
        version: 2,
        sponsorId: 's1',
        applicationId: null,
        fromMonth: '2026-07',
        toMonth: null,
        flatFeeMicros: 0,
        minimumCommitmentMicros: 10_000_000_000,
        volumeRebate: {
          appliesTo: 'all_charges',
          bands: [
            { fromOctets: 0, basisPoints: 100 },
            { fromOctets: 1_000_000_000_000, basisPoints: 500 },
          ],
        },
      },
      expect.objectContaining({ id: 't2', applicationId: 'a1', fromMonth: '2026-03', flatFeeMicros: 7_000_000 }),
    ]);
    expect(catalogueFromCanonicalJson(canonicalJson).monthlyTerms).toEqual(monthlyTerms);
  });

  test('that are absent leave the catalogue and its hash as they were', () => {
    const catalogue = parsed(WITHOUT);
    expect(catalogue.canonicalJson).not.toContain('monthlyTerms');
    expect(catalogue).not.toHaveProperty('monthlyTerms');
    // The hash of this very catalogue before there were monthly terms.
    expect(catalogue.hash).toBe('dfdbfa93d386babbddd41f61223103c8cdbbab57d72ed96ed4c1463ed25a50e8');
  });

  test.each([
    [
      'id: t1\n    version: 2',
      'id: t1\n    version: 1',
      'monthlyTerms[1].id: version 1 of terms t1 is already in monthlyTerms[0]',
    ],
    ['sponsor: s1\n', 'sponsor: s3\n', 'monthlyTerms[1].sponsor: no sponsor has the id "s3" (did you mean "s1"?)'],
    [
      'application: a1,',
      'application: a3,',
      'monthlyTerms[2].application: no application has the id "a3" (did you mean "a1"?)',
    ],
    [
      'application: a1,',
      'application: a2,',
      'monthlyTerms[2].application: application a2 is of sponsor s2, and these terms are of s1',
    ],
    ['"500.00"', '"500.001"', 'monthlyTerms[0].flatFee: EUR has 2 decimals, and 500.001 is finer than that'],
    [
      '"10000.00"',
      '"10000.005"',
      'monthlyTerms[1].minimumCommitment: EUR has 2 decimals, and 10000.005 is finer than that',
    ],
    ['"500.00"', '500', 'monthlyTerms[0].flatFee: expected text, got 500: put it in quotes'],
    ['"500.00"', '"-1"', 'monthlyTerms[0].flatFee: expected a decimal number in quotes, not below 0'],
    [
      'effectiveFrom: 2026-07-01',
      'effectiveFrom: 2026-07-02',
      'monthlyTerms[1].effectiveFrom: expected the first day of a month, as 2026-10-01: monthly terms apply to whole months',
    ],
    [
      'effectiveFrom: 2026-07-01',
      'effectiveFrom: 2026-07-01T00:00:00Z',
      'monthlyTerms[1].effectiveFrom: expected the first day of a month',
    ],
    [
      'effectiveTo: 2026-07-01',
      'effectiveTo: 2026-01-01',
      'monthlyTerms[0].effectiveTo: 2026-01-01 is not after effectiveFrom 2026-01-01',
    ],
    [
      'effectiveTo: 2026-07-01',
      'effectiveTo: 2026-08-01',
      'monthlyTerms[1].effectiveFrom: t1 version 2 (2026-07-01 to no end) overlaps t1 version 1 (2026-01-01 to 2026-08-01) (monthlyTerms[0]): one entry for sponsor s1 as a whole is in force at a time',
    ],
    [', flatFee: "7"', '', 'monthlyTerms[2].id: expected a flatFee, a minimumCommitment or a volumeRebate'],
    [
      'fromOctets: 1000000000000',
      'fromOctets: 0',
      'monthlyTerms[1].volumeRebate.bands[1].fromOctets: bands must ascend: 0 is not above 0',
    ],
    ['basisPoints: 500', 'basisPoints: 10001', 'monthlyTerms[1].volumeRebate.bands[1].basisPoints: '],
    ['appliesTo: all_charges', 'appliesTo: everything', 'monthlyTerms[1].volumeRebate.appliesTo: '],
    ['      appliesTo: all_charges\n', '', 'monthlyTerms[1].volumeRebate.appliesTo: '],
  ])('%s as %s is a fault with its line', (piece, replacement, fault) => {
    const faults = faultsWith(piece, replacement);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/^c\.yaml:\d+(:\d+)?: /);
    expect(faults[0]).toContain(fault);
  });

  test('an empty list is a fault', () => {
    const { faults } = parseCatalogue(`${WITHOUT}monthlyTerms: []\n`, 'c.yaml');
    expect(faults?.map(formatFault)).toEqual([expect.stringContaining('expected terms, or no such field')]);
  });

  test('differ field by field in a comparison, under their sponsor', () => {
    const [before, after] = [
      parsed(GOOD),
      parsed(GOOD.replace('"500.00"', '"600.00"').replace('appliesTo: all_charges', 'appliesTo: charges_in_band')),
    ];
    expect(compareCatalogues(before, after)).toEqual([
      {
        sponsorId: 's1',
        part: 'monthly terms t1 version 1',
        change: 'changed',
        field: 'flatFee',
        before: '500.00',
        after: '600.00',
      },
      {
        sponsorId: 's1',
        part: 'monthly terms t1 version 2',
        change: 'changed',
        field: 'volumeRebate.appliesTo',
        before: 'all_charges',
        after: 'charges_in_band',
      },
    ]);
    expect(compareCatalogues(parsed(WITHOUT), before).map(({ part, change }) => [part, change])).toEqual([
      ['monthly terms t1 version 1', 'added'],
      ['monthly terms t1 version 2', 'added'],
      ['monthly terms t2 version 1', 'added'],
    ]);
  });
});
