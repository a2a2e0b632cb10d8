import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  memorySource,
  OPEN_STORE,
  type OpenedStore,
  PSEUDONYM_KEY,
  rawRecords,
  runEngine,
} from '../../engine/engine.fixture.ts';
import { parseCatalogue } from '../../rating/catalogue/catalogue-compile.ts';
import type { FlowRecord } from '../../rating/flow-record.ts';
import { findFraud } from './find-fraud.ts';
import { type Finding, type FraudRule, RULES, THRESHOLDS, type Thresholds } from './finding.ts';
import {
  CONFLICTS,
  cleanTraffic,
  DAYS,
  FIRST_DAY_MS,
  FRAUD_CATALOGUE,
  NODE_COUNTRIES,
  numberOf,
  PLANTED,
  SEED,
  SPREAD,
} from './fraud.fixture.ts';

const FIRST_DAY = FIRST_DAY_MS / 86_400_000;
const RANGE = { fromDay: FIRST_DAY, toDay: FIRST_DAY + DAYS };
const DEFAULTS = Object.fromEntries(Object.entries(THRESHOLDS).map(([name, { value }]) => [name, value])) as Thresholds;
let opened: OpenedStore;

/** `repeated`: how many of the first records come again at the end, outside of the window of duplicates. */
async function open(records: readonly FlowRecord[], repeated = 0): Promise<OpenedStore> {
  const { catalogue } = parseCatalogue(FRAUD_CATALOGUE, 'fraud.yaml');
  if (catalogue === undefined) throw new Error('the catalogue has faults');
  const store = await OPEN_STORE.embedded();
  const numbered = records.map((record, localSequenceNumber) => ({ ...record, localSequenceNumber }));
  numbered.push(...numbered.slice(0, repeated));
  const source = memorySource({ topic: 'flows', partition: 0, lane: 'flows-0' }, rawRecords(numbered, FIRST_DAY_MS));
  await runEngine({ store: store.store, source, catalogue, maxRecords: 1000 });
  return store;
}

async function found(request: Partial<Parameters<typeof findFraud>[1]> = {}, from = opened): Promise<Finding[]> {
  const findings: Finding[] = [];
  const asked = { range: RANGE, thresholds: DEFAULTS, countries: NODE_COUNTRIES, home: 'DE', ...request };
  for await (const finding of findFraud(from.store, asked)) findings.push(finding);
  return findings;
}

const subjectsOf = (findings: readonly Finding[], rule: FraudRule) =>
  findings.filter((finding) => finding.rule === rule).map(({ subject }) => subject);
const subjectOf = (subscriber: number) => PSEUDONYM_KEY.pseudonymOf(numberOf(subscriber)).toString('hex');

describe(`traffic with a fraud of each kind (seed ${SEED})`, () => {
  let findings: Finding[];

  beforeAll(async () => {
    const planted = Object.values(PLANTED).flatMap(({ records }) => records);
    opened = await open([...cleanTraffic(), ...planted, ...CONFLICTS, ...SPREAD], 3);
    findings = await found();
  });
  afterAll(() => opened?.close());

  test.each(Object.keys(PLANTED) as (keyof typeof PLANTED)[])('%s finds exactly the planted subscriber', (rule) => {
    expect(subjectsOf(findings, rule)).toEqual([subjectOf(PLANTED[rule].subscriber)]);
  });

  test('conflicts of tag and address are found by their log and day', () => {
    const [finding, ...others] = findings.filter(({ rule }) => rule === 'evidence_conflict');
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ subject: 'flows', figures: { day: '2026-10-01', conflicts: CONFLICTS.length } });
  });

  test('the day on which an application comes from everywhere is found', () => {
    const [finding, ...others] = findings.filter(({ rule }) => rule === 'spread');
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      applicationId: 'clips',
      figures: { on_day: '2026-10-08', nodes: 16, median_nodes: 6 },
    });
  });

  test('nodes that the list lacks are found', () => {
    expect(subjectsOf(findings, 'unmapped_node')).toEqual(SPREAD.map(({ nodeId }) => nodeId).sort());
  });

  test('a finding has its figures and thresholds', () => {
    const volume = findings.find(({ rule }) => rule === 'volume');
    expect(volume).toMatchObject({
      sponsorId: 'acme',
      applicationId: 'chat',
      figures: {
        plan: 'chat-month',
        period: '2026-10-01',
        octets: 10 * (4000 * 2 ** 20 + Math.floor(2 ** 20 / 10)),
        currency: 'USD',
      },
      threshold: expect.stringMatching(/^\d+ octets$/),
    });
    expect(Number(volume?.figures.charge_micros)).toBeGreaterThan(0);
    const overlap = findings.find(({ rule }) => rule === 'several_places');
    expect(overlap?.figures).toMatchObject({ records: 4, nodes: 'gw-1 gw-2', longest_overlap_seconds: 180 });
    const travel = findings.find(({ rule }) => rule === 'fast_travel');
    expect(travel?.figures).toMatchObject({
      moves: 1,
      countries: 'DE-FR',
      fewest_minutes: 15,
      first_at: '2026-10-06T00:20:00Z',
    });
  });

  test('records that are charged twice are found by their node', () => {
    const twice = findings.filter(({ rule }) => rule === 'charged_twice');
    expect(twice.map(({ figures }) => figures.records).reduce((sum, records) => Number(sum) + Number(records), 0)).toBe(
      3,
    );
    expect(twice[0].subject).toBe('gw-0');
    expect(twice[0].figures).toMatchObject({ currency: 'USD', first_number: 0, first_logs: 'flows-0' });
    expect(Number(twice[0].figures.charge_micros)).toBeGreaterThan(0);
  });

  test('every rule has a finding', () => {
    expect(new Set(findings.map(({ rule }) => rule))).toEqual(new Set(Object.keys(RULES)));
  });

  test('other thresholds find others', async () => {
    const strict = await found({
      thresholds: { ...DEFAULTS, nodes: 10, overlaps: 5, tagRecords: 31, travelMinutes: 15 },
    });
    for (const rule of ['many_nodes', 'several_places', 'tag_elsewhere', 'fast_travel'] as const) {
      expect(subjectsOf(strict, rule), rule).toEqual([]);
    }
    const loose = await found({ thresholds: { ...DEFAULTS, nodes: 2, overlapSeconds: 181 } });
    expect(subjectsOf(loose, 'many_nodes').length).toBeGreaterThan(50);
    expect(subjectsOf(loose, 'several_places')).toEqual([]);
  });

  test('records outside of the range are ignored', async () => {
    const range = { fromDay: RANGE.toDay, toDay: RANGE.toDay + 10 };
    expect(await found({ range })).toEqual([]);
    expect(subjectsOf(await found({ range: { ...RANGE, toDay: FIRST_DAY + 2 } }), 'many_nodes')).toEqual([]);
  });

  test('without a list of nodes there are no findings of countries, and without a home none of roaming', async () => {
    const rules = async (request: object) => new Set((await found(request)).map(({ rule }) => rule));
    expect(await rules({ countries: null, home: null })).not.toContain('unmapped_node');
    expect(await rules({ home: null })).toContain('fast_travel');
    expect(await rules({ home: null })).not.toContain('roaming');
  });
});

describe('clean traffic', () => {
  let clean: OpenedStore;
  afterEach(() => clean?.close());

  test.each([
    ['traffic of people', cleanTraffic()],
    ['no traffic at all', []],
  ])('in %s nothing is found', async (_, records) => {
    clean = await open(records);
    expect(await found({}, clean)).toEqual([]);
  });
});
