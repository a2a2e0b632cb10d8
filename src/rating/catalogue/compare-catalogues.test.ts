import { expect, test } from 'vitest';
import type { Catalogue } from '../catalogue.ts';
import { TEST_CATALOGUE } from '../traffic.fixture.ts';
import { parseCatalogue } from './catalogue-compile.ts';
import { type CatalogueChange, compareCatalogues } from './compare-catalogues.ts';

function catalogueWith(...changes: readonly [from: string, to: string][]): Catalogue {
  const text = changes.reduce((before, [from, to]) => {
    expect(before).toContain(from);
    return before.replaceAll(from, to);
  }, TEST_CATALOGUE);
  const { catalogue, faults } = parseCatalogue(text, 'test.yaml');
  if (catalogue === undefined) throw new Error(JSON.stringify(faults));
  return catalogue;
}

const OLD = catalogueWith();

test('the same catalogue, written otherwise, differs in nothing', () => {
  const other = catalogueWith([
    'prefixes: [198.51.100.0/24, "2001:db8:1::/48"]',
    'prefixes: ["2001:db8:1::/48", 198.51.100.0/24]',
  ]);
  expect(compareCatalogues(OLD, other)).toEqual([]);
  const until = (at: string) =>
    catalogueWith(
      [
        'tags: [ANY], prefixes: [198.51.100.0/24,',
        `tags: [{ tag: ANY }], prefixes: [{ cidr: 198.51.100.0/24, to: ${at} },`,
      ],
      ['effectiveFrom: 2026-01-01T00:00:00Z', `effectiveFrom: ${at}`],
    );
  const utc = until('2025-12-31T22:00:00Z');
  expect(compareCatalogues(utc, until('2026-01-01T00:00:00+02:00'))).toEqual([]);
  expect(compareCatalogues(OLD, utc).filter(({ field }) => field === 'tags')).toEqual([]);
  expect(compareCatalogues(utc, until('2026-01-01T00:00:00Z')).map(({ field }) => field)).toContain('prefixes');
});

test.each<[string, [string, string][], Partial<CatalogueChange>[]]>([
  [
    'prefixes and tags by entry',
    [['tags: [ANY], prefixes: [198.51.100.0/24,', 'tags: [ANY, NEW], prefixes: [198.51.100.0/25, 192.0.2.128/25,']],
    [
      {
        sponsorId: 'acme',
        part: 'application any',
        field: 'prefixes',
        added: ['198.51.100.0/25', '192.0.2.128/25'],
        removed: ['198.51.100.0/24'],
      },
      { sponsorId: 'acme', part: 'application any', field: 'tags', added: ['NEW'], removed: [] },
    ],
  ],
  [
    'a prefix that gets an end, and a tag that is to come',
    [
      [
        'tags: [ANY], prefixes: [198.51.100.0/24,',
        'tags: [ANY, { tag: NEW, from: 2026-03-01T00:00:00Z }], prefixes: [{ cidr: 198.51.100.0/24, to: 2026-03-01T00:00:00Z },',
      ],
    ],
    [
      {
        field: 'prefixes',
        added: [],
        removed: [],
        redated: [{ before: '198.51.100.0/24', after: { cidr: '198.51.100.0/24', to: '2026-03-01T00:00:00Z' } }],
      },
      { field: 'tags', added: [{ from: '2026-03-01T00:00:00Z', tag: 'NEW' }], removed: [] },
    ],
  ],
  [
    'a tag that is claimed twice instead of once: which of the two was it?',
    [['tags: [TAG]', 'tags: [{ tag: TAG, to: 2026-03-01T00:00:00Z }, { tag: TAG, from: 2026-04-01T00:00:00Z }]']],
    [
      {
        field: 'tags',
        added: [
          { tag: 'TAG', to: '2026-03-01T00:00:00Z' },
          { from: '2026-04-01T00:00:00Z', tag: 'TAG' },
        ],
        removed: ['TAG'],
      },
    ],
  ],
  [
    'a list that an application did not have',
    [['tags: [TAG],', 'tags: [TAG], aspIdentities: [asp-tagged],']],
    [{ part: 'application tagged', field: 'aspIdentities', added: ['asp-tagged'], removed: [] }],
  ],
  [
    'shares by content type, and prices',
    [
      ['{ text: 9999, image: 1,', '{ text: 5000, video: 1,'],
      ['"7.000001"', '"7"'],
    ],
    [
      { sponsorId: 'acme', part: 'plan any-day version 2', field: 'content.image', before: 1, after: undefined },
      { field: 'content.text', before: 9999, after: 5000 },
      { field: 'content.video', before: undefined, after: 1 },
      {
        field: 'tiers',
        before: [{ pricePerMiB: '7.000001', upToOctets: null }],
        after: [{ pricePerMiB: '7', upToOctets: null }],
      },
    ],
  ],
  [
    'a sponsor',
    [['name: Bolt', 'name: Bolt Ltd']],
    [{ sponsorId: 'bolt', part: 'sponsor bolt', field: 'name', before: 'Bolt', after: 'Bolt Ltd' }],
  ],
])('%s', (_, changes, expected) => {
  expect(compareCatalogues(OLD, catalogueWith(...changes))).toMatchObject(expected);
  expect(compareCatalogues(OLD, catalogueWith(...changes))).toHaveLength(expected.length);
});

test('a part that is new or gone is one change, in both directions', () => {
  const other = catalogueWith([
    'id: any-day\n    application: any\n    version: 2',
    'id: any-day\n    application: any\n    version: 3',
  ]);
  expect(compareCatalogues(OLD, other)).toMatchObject([
    { sponsorId: 'acme', part: 'plan any-day version 3', change: 'added', after: { version: 3 } },
    { sponsorId: 'acme', part: 'plan any-day version 2', change: 'removed', before: { version: 2 } },
  ]);
  expect(compareCatalogues(other, OLD).map(({ part, change }) => [part, change])).toEqual([
    ['plan any-day version 2', 'added'],
    ['plan any-day version 3', 'removed'],
  ]);
});

test('an application that goes to another sponsor concerns both', () => {
  const moved = catalogueWith(['id: by-ip, sponsor: bolt', 'id: by-ip, sponsor: acme']);
  const move = { part: 'application by-ip', change: 'changed', field: 'sponsor', before: 'bolt', after: 'acme' };
  expect(compareCatalogues(OLD, moved)).toEqual([
    { sponsorId: 'bolt', ...move },
    { sponsorId: 'acme', ...move },
  ]);
});
