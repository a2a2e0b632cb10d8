import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadConfig } from '../platform/config/load-config.ts';
import { packagePath } from '../platform/package-paths.ts';
import { parseCatalogue } from '../rating/catalogue/catalogue-compile.ts';
import { generateRecords } from './generate-records.ts';

const FILE = 'fixtures/demo/catalogue.yaml';
const parsed = parseCatalogue(readFileSync(packagePath(FILE), 'utf8'), FILE);

test('the example catalogue has no fault and shows every feature of a catalogue', () => {
  expect(parsed.faults ?? []).toEqual([]);
  const { sponsors, applications, plans } = parsed.catalogue!;
  expect(new Set(sponsors.map(({ currency }) => currency))).toEqual(new Set(['USD', 'EUR', 'JPY', 'KWD']));
  expect(new Set(applications.map(({ match }) => match))).toEqual(new Set(['any', 'tag', 'ip', 'both']));
  expect(new Set(plans.map(({ period }) => period))).toEqual(new Set(['day', 'week', 'month']));
});

test('traffic can be generated for every application of it', () => {
  const { applications } = parsed.catalogue!;
  const records = generateRecords({
    seed: 1,
    records: 2000,
    subscribers: 100,
    targets: applications,
    startTimeMs: Date.UTC(2026, 9, 1),
    endTimeMs: Date.UTC(2026, 10, 1),
  });
  const targets = new Set([...records].map((generated) => 'record' in generated && generated.record.ratingGroup));
  expect(targets).toEqual(new Set([null, ...applications.map((_, index) => 100 + index)]));
});

test('the example configuration has no fault, and its files exist', () => {
  const env = { ZERORATE_PSEUDONYM_KEY: '0f'.repeat(32) };
  const file = packagePath('fixtures/demo/zerorate.yaml');
  const { config, faults } = loadConfig({ file, env, readFile: (path) => readFileSync(path, 'utf8') });
  expect(faults).toBeUndefined();
  expect(config).toMatchObject({
    catalogue: packagePath(FILE),
    source: { kafka: { avro: { schemas: { 1: packagePath('schemas/flow-record.avsc') } } } },
    store: { url: 'http://localhost:8123' },
    quotaUpdates: { topic: 'quota-updates' },
  });
});
