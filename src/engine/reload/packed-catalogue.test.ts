import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import { parseCatalogue } from '../../rating/catalogue/catalogue-compile.ts';
import { largeCatalogue } from '../../rating/catalogue/large-catalogue.fixture.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import { prepareCatalogue } from '../../rating/prepared-catalogue.ts';
import { Rules } from '../../rating/rules.ts';
import { packCatalogue, unpackCatalogue, unpackCatalogueNow } from './packed-catalogue.ts';

const WITH_DATES = `
sponsors:
  - { id: s, name: S, currency: EUR, creditLimit: "1" }
applications:
  - id: a
    sponsor: s
    match: any
    tags: [{ tag: T, to: 2026-03-01T00:00:00Z }]
    prefixes: [192.0.2.0/24, { cidr: "2001:db8::/32", from: 2026-01-01T00:00:00Z }]
    aspIdentities: [asp]
plans: []
`;

function parsed(text: string): Catalogue {
  const { catalogue, faults } = parseCatalogue(text, 'catalogue.yaml');
  if (faults !== undefined) throw new Error(faults[0].message);
  return catalogue;
}

/** All typed arrays of a value. */
function arraysOf(value: unknown): ArrayBufferView[] {
  if (ArrayBuffer.isView(value)) return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(arraysOf);
}

test('a catalogue comes out of its parts as it went in, at once or between turns of the event loop', async () => {
  for (const text of [WITH_DATES, largeCatalogue(1500)]) {
    const whole = parsed(text);
    const prepared = prepareCatalogue(whole);
    expect(isDeepStrictEqual(unpackCatalogueNow(packCatalogue(prepared)), prepared)).toBe(true);
    expect(isDeepStrictEqual(await unpackCatalogue(packCatalogue(prepared)), prepared)).toBe(true);
    expect(isDeepStrictEqual(await unpackCatalogue(packCatalogue(whole)), whole)).toBe(true);
  }
});

test('the event loop has a turn for each thousand entries', async () => {
  const packed = packCatalogue(prepareCatalogue(parsed(largeCatalogue(1500))));
  let turns = 0;
  let isDone = false;
  const count = () => {
    turns++;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  const { plans } = await unpackCatalogue(packed);
  isDone = true;
  expect(plans).toHaveLength(1500);
  // A plan of these counts as nine.
  expect(packed.plans.length).toBeGreaterThan(10);
  expect(turns).toBeGreaterThanOrEqual(packed.plans.length + packed.applications.length);
});

test('what a thread reads or copies does not grow with prefixes: they are in memory that threads share', () => {
  const withPrefixes = (count: number) => {
    const prefixes = Array.from({ length: count }, (_, i) => `20.${i >> 8}.${i & 255}.0/24`);
    return prepareCatalogue(parsed(WITH_DATES.replace('prefixes: [', `prefixes: [${prefixes.join(', ')}, `)));
  };
  const [few, many] = [10, 20_000].map((count) => packCatalogue(withPrefixes(count)));
  for (const packed of [few, many]) {
    for (const { buffer } of arraysOf(packed)) expect(buffer).toBeInstanceOf(SharedArrayBuffer);
  }
  const readOctets = ({ applications, plans }: typeof few) =>
    [...applications, ...plans].reduce((sum, { length }) => sum + length, 0);
  expect(readOctets(many)).toBe(readOctets(few));
  const bare = (packed: typeof few) =>
    JSON.stringify(packed, (_, value) => (ArrayBuffer.isView(value) ? value.constructor.name : value)).length;
  expect(bare(many)).toBe(bare(few));
  // Rules look into the tables as they are.
  const catalogue = unpackCatalogueNow(many);
  expect(arraysOf(catalogue.evidence)).toEqual(arraysOf(many.head.evidence));
  expect(new Rules(catalogue).evidence.tags.at(0)).toBe('T');
});
