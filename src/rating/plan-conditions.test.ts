import { readFileSync } from 'node:fs';
import avro from 'avsc';
import { describe, expect, test } from 'vitest';
import { parseCatalogue } from './catalogue/catalogue-compile.ts';
import { csvDecoder } from './decode/decode-csv.ts';
import { decodeJson } from './decode/decode-json.ts';
import { avroDecoder } from './decode-avro.ts';
import { explainRecord } from './explain.ts';
import { type Decoder, FLOW_RECORD_FIELDS, type FlowRecord } from './flow-record.ts';
import { Rules } from './rules.ts';
import { PseudonymKey } from './subscribers.ts';
import { asValue, classifyValues, rateValues, testLane, testRecord } from './traffic.fixture.ts';

/** Free nights and roaming packs beside a base plan by day. */
const CATALOGUE = `
sponsors:
  - { id: acme, name: Acme, currency: USD, creditLimit: "1000" }
applications:
  - { id: chat, sponsor: acme, prefixes: [198.51.100.0/24] }
  - { id: fair, sponsor: acme, prefixes: [203.0.113.0/24] }
network: { homePlmns: ["26201"] }
locations:
  - { id: fairground, trackingAreas: ["26201-00af", "26201-00af01"] }
`;

const TERMS = `version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: day
    timeZone: Europe/Berlin
    content: { unknown: 10000 }
    tiers: [{ upToOctets: null, pricePerMiB: "1" }]`;

function catalogueWith(plans: string) {
  return parseCatalogue(`${CATALOGUE}plans:\n${plans}`, 'c.yaml');
}

function rulesWith(plans: string): Rules {
  const { catalogue, faults } = catalogueWith(plans);
  if (catalogue === undefined) throw new Error(JSON.stringify(faults));
  return new Rules(catalogue);
}

const plan = (id: string, more: string, quota: number | null = null) =>
  `  - id: ${id}\n    application: chat\n    ${TERMS}\n    quotaOctets: ${quota}\n    ${more}\n`;
const NIGHT = plan('night', 'order: 1\n    conditions: { hours: [{ from: "22:00", to: "06:00" }] }', 2000);
const ABROAD = plan('abroad', 'order: 2\n    conditions: { roaming: roaming, ratTypes: [eutran, nr] }');
const BASE = plan('base', 'conditions: { roaming: home }', 700);

function rated(rules: Rules, records: readonly Partial<FlowRecord>[]) {
  const values = records.map((fields, at) => asValue(testRecord({ localSequenceNumber: at, ...fields })));
  return rateValues(values, testLane(), rules).rated.map(({ plan, reason, sponsored }) => [
    rules.catalogue.plans[plan]?.id ?? null,
    reason,
    sponsored,
  ]);
}

const at = (time: string, seconds: number) => ({
  startTime: Date.parse(time),
  endTime: Date.parse(time) + seconds * 1000,
  uplinkOctets: 1000,
  downlinkOctets: 0,
});

describe('the first plan by order whose conditions hold', () => {
  const rules = rulesWith(BASE + ABROAD + NIGHT);

  test('has the record, and what it does not sponsor falls to no other', () => {
    const night = at('2026-11-10T22:00:00+01:00', 60);
    const noon = at('2026-11-10T12:00:00+01:00', 60);
    expect(
      rated(rules, [
        { ...night, servingPlmn: '310410', ratType: 6 },
        { ...night },
        { ...night },
        { ...noon, servingPlmn: '310410', ratType: 51 },
        { ...noon, servingPlmn: '310410', ratType: 10 },
        { ...noon, servingPlmn: '310410', ratType: 2 },
        { ...noon, servingPlmn: '26201', ratType: 2 },
        noon,
      ]),
    ).toEqual([
      ['night', 'sponsored', 1000],
      ['night', 'quota_reached', 1000],
      ['night', 'quota_exhausted', 0],
      ['abroad', 'sponsored', 1000],
      ['abroad', 'sponsored', 1000],
      [null, 'conditions_not_met', 0],
      ['base', 'quota_reached', 700],
      [null, 'conditions_not_met', 0],
    ]);
  });

  test('sponsors the part within its hours alone', () => {
    const home = { servingPlmn: '26201' };
    expect(
      rated(rules, [
        { ...at('2026-11-10T21:59:00+01:00', 180), ...home }, // two of three minutes
        { ...at('2026-11-11T05:59:30+01:00', 60), ...home }, // half
        { ...at('2026-11-12T21:59:59.999+01:00', 0), ...home },
        { ...at('2026-11-12T06:00:00+01:00', 3600), ...home },
        { ...at('2026-11-13T21:59:00+01:00', 61), ...home, uplinkOctets: 1 }, // an octet cannot be cut: its end is within
        { ...at('2026-11-13T05:59:59+01:00', 61), ...home, uplinkOctets: 1 },
      ]),
    ).toEqual([
      ['night', 'partly_in_hours', 667],
      ['night', 'partly_in_hours', 500],
      ['base', 'quota_reached', 700],
      ['base', 'quota_exhausted', 0],
      ['night', 'sponsored', 1],
      ['night', 'partly_in_hours', 0],
    ]);
  });

  test('without any in force there is no plan', () => {
    expect(rated(rules, [at('2025-11-10T22:00:00+01:00', 60)])).toEqual([[null, 'no_plan', 0]]);
  });

  test('is explained, with those before it and the part within its hours', async () => {
    const explained = async (fields: Partial<FlowRecord>) =>
      (
        await explainRecord(
          asValue(testRecord(fields)),
          decodeJson,
          rules,
          PseudonymKey.ofRoot(Buffer.alloc(32, 3)),
          async () => ({ usedOctets: 0, carry: 0 }),
        )
      ).filter(({ step }) => step === 'plan' || step === 'outcome');
    expect(await explained({ ...at('2026-11-10T21:59:00+01:00', 180) })).toMatchObject([
      { text: 'night version 1: a day in Europe/Berlin; 667 of 1000 octets are within its hours, pro rata by time' },
      { text: expect.stringMatching(/^charged: partly_in_hours/) },
    ]);
    expect(
      await explained({ ...at('2026-11-10T12:00:00+01:00', 60), servingPlmn: '310410', ratType: 2 }),
    ).toMatchObject([
      { text: 'not night: nothing of the record is within its hours' },
      { text: 'not abroad: it asks for other radio access, and ratType is 2' },
      { text: 'not base: it asks for home, and the serving PLMN is 310410' },
      { text: expect.stringMatching(/^not_sponsored: conditions_not_met/) },
    ]);
    expect(await explained(at('2026-11-10T12:00:00+01:00', 60))).toContainEqual({
      step: 'plan',
      text: 'not base: it asks for home, and the record names no serving PLMN',
    });
  });
});

test('a location is any of its tracking areas', () => {
  const rules = rulesWith(plan('fair', 'conditions: { locations: [fairground] }'));
  const areas = ['26201-00af', '26201-00af01', '26201-00ae', null];
  expect(
    rated(
      rules,
      areas.map((trackingArea) => ({ trackingArea })),
    ).map(([id]) => id),
  ).toEqual(['fair', 'fair', null, null]);
});

describe('is refused by line', () => {
  test.each<[string, string, RegExp]>([
    ['an empty condition', plan('p', 'conditions: {}'), /expected a condition/],
    [
      'a time of day that is none',
      plan('p', 'conditions: { hours: [{ from: "24:00", to: "06:00" }] }'),
      /time of day in quotes/,
    ],
    [
      'hours that overlap',
      plan(
        'p',
        'conditions: { hours: [{ from: "18:00", to: "08:00" }, { days: [monday], from: "07:59", to: "09:00" }] }',
      ),
      /overlaps hours\[0\]/,
    ],
    [
      'hours that overlap over the end of the week',
      plan(
        'p',
        'conditions: { hours: [{ days: [sunday], from: "23:00", to: "02:00" }, { days: [monday], from: "01:00", to: "03:00" }] }',
      ),
      /overlaps hours\[0\]/,
    ],
    [
      'a location that is none',
      plan('p', 'conditions: { locations: [fairgrond] }'),
      /no location has the id "fairgrond".*fairground/,
    ],
    ['a PLMN without quotes', plan('p', 'conditions: { servingPlmns: [26201] }'), /put it in quotes/],
    ['a PLMN twice', plan('p', 'conditions: { servingPlmns: ["26201", "26201"] }'), /names an entry twice/],
    ['two plans of one order', plan('p', 'order: 1') + plan('q', 'order: 1'), /need an order each, and both have 1/],
    [
      'two plans without an order',
      plan('p', 'conditions: { roaming: home }') + plan('q', 'allocateAboveOctets: 0', 5),
      /one plan of application chat is in force at a time; plans with an order may be/,
    ],
  ])('%s', (_, plans, message) => {
    const { faults = [] } = catalogueWith(plans);
    expect(faults.map((fault) => fault.message).join('\n')).toMatch(message);
    expect(faults.every(({ line }) => (line ?? 0) > 9)).toBe(true);
  });

  test('roaming without home PLMNs', () => {
    const { faults } = parseCatalogue(
      `sponsors: [{ id: s, name: S, currency: USD, creditLimit: "1" }]\napplications: [{ id: chat, sponsor: s, tags: [T] }]\nplans:\n${BASE}`,
      'c.yaml',
    );
    expect(faults?.map(({ message }) => message).join()).toMatch(/roaming needs the home PLMNs: add `network/);
  });

  test('spans that follow each other are not', () => {
    const spans =
      '[{ from: "18:00", to: "22:00" }, { from: "22:00", to: "06:00" }, { days: [sunday], from: "06:00", to: "18:00" }]';
    expect(catalogueWith(plan('p', `conditions: { hours: ${spans} }`)).faults).toBeUndefined();
  });
});

test('the example of docs/concepts/plan-conditions.md does what its table says', () => {
  const [, example = ''] = /```yaml\n(.*?)```/s.exec(readFileSync('docs/concepts/plan-conditions.md', 'utf8')) ?? [];
  const { catalogue, faults } = parseCatalogue(example, 'example.yaml');
  if (catalogue === undefined) throw new Error(JSON.stringify(faults));
  const noon = at('2026-11-10T12:00:00+01:00', 60);
  const records = [
    { ...at('2026-11-10T23:00:00+01:00', 60), servingPlmn: '26201' },
    { ...at('2026-11-10T21:59:00+01:00', 180), servingPlmn: '26201', uplinkOctets: 3000 },
    { ...noon, ratType: 51, trackingArea: '26201-00af01' },
    { ...noon, ratType: 1, servingPlmn: '26201' },
    { ...noon, servingPlmn: '310410' },
    noon,
  ];
  expect(rated(new Rules(catalogue), records)).toEqual([
    ['chat-nights', 'sponsored', 1000],
    ['chat-nights', 'partly_in_hours', 2000],
    ['chat-fair', 'sponsored', 1000],
    ['chat-base', 'sponsored', 1000],
    [null, 'conditions_not_met', 0],
    [null, 'conditions_not_met', 0],
  ]);
});

test('Avro, JSON and CSV say the same of where the terminal was', () => {
  const rules = rulesWith(BASE + ABROAD);
  const record = testRecord({ servingPlmn: '310410', ratType: 6, trackingArea: '26201-00af' });
  const schema = JSON.parse(readFileSync('schemas/flow-record.avsc', 'utf8'));
  const decodeAvro = avroDecoder({ readerSchema: schema, schemas: new Map(), header: 'bare' });
  const ways: [Decoder, Buffer][] = [
    [decodeAvro, avro.Type.forSchema(schema).toBuffer(record)],
    [decodeJson, asValue(record)],
    [csvDecoder(FLOW_RECORD_FIELDS), Buffer.from(FLOW_RECORD_FIELDS.map((name) => record[name] ?? '').join(','))],
  ];
  for (const [decode, value] of ways) {
    const longWay: Decoder = (octets) => decode(octets);
    for (const each of [decode, longWay]) {
      const batch = classifyValues([value], testLane(), rules, each);
      expect(rules.catalogue.plans[batch.plan[0]]?.id).toBe('abroad');
    }
  }
});
