import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore, PSEUDONYM_KEY } from '../../engine/engine.fixture.ts';
import { bookedSource } from '../../finance/corrections/booked-source.fixture.ts';
import type { BookedSource } from '../../finance/corrections/booked-source.ts';
import type { CorrectionRequest } from '../../finance/corrections/corrections.ts';
import {
  AUTUMN,
  book,
  bookAll,
  LOGS,
  MISSED,
  NOVEMBER,
  PREFIX,
  RIGHT,
} from '../../finance/corrections/missed-traffic.fixture.ts';
import { changedCatalogue, rulesOf } from '../../finance/corrections/rating.fixture.ts';
import { testCorrection } from '../../finance/corrections/test-correction.fixture.ts';
import { digestParts, rowsDigestExpression } from '../../platform/clickhouse/rows-digest.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { PLAIN_RULES } from '../../rating/record/record-limits.ts';
import { Rules } from '../../rating/rules.ts';
import { CorrectionAudit, type CorrectionsComputed } from './audit-corrections.ts';
import { auditFacts } from './audit-facts.ts';
import { auditSource } from './audit-source.ts';
import type { AuditFault } from './invariants.ts';

const PRICES: [string, string][] = [
  ['"12.5"', '"11.000003"'],
  ['quotaOctets: 20000', 'quotaOctets: 30000'],
];
const PRICED = rulesOf(changedCatalogue(...PRICES));
/** Records that it does not charge, and another plan with other periods. */
const OTHER = rulesOf(
  changedCatalogue(
    ['id: any-day', 'id: any-month'],
    ['period: day', 'period: month'],
    ['text: 10000, image: 3333, ', 'voice: 1, '],
  ),
);
const OCTOBER = { ...AUTUMN, toDay: NOVEMBER.fromDay };

let opened: OpenedStore;
let store: Store;

async function openBooked(): Promise<void> {
  opened = await OPEN_STORE.embedded();
  store = opened.store;
  await bookAll(store, MISSED);
}

type Overrides = Partial<CorrectionRequest> & { source?: BookedSource | null };
const correct = (rules: Rules, { source = null, ...overrides }: Overrides = {}) =>
  testCorrection(store, rules, { source, ...overrides });

const booked = { outcome: 'booked' };
const read = () => ({ source: bookedSource(store, LOGS) });

async function audited(
  source = bookedSource(store, LOGS),
  pseudonymKey = PSEUDONYM_KEY,
): Promise<{ messages: string[]; result: CorrectionsComputed }> {
  const { evidence, walk, readable } = source;
  const corrections = new CorrectionAudit(store, evidence, pseudonymKey);
  const settings = {
    pseudonymKey,
    duplicateWindowRecords: 1000,
    rejectionPayloadBytes: 4096,
    recordRules: PLAIN_RULES,
    corrections,
  };
  const found: AuditFault[] = [];
  for await (const fault of auditSource(
    evidence,
    walk(readable(await evidence.batches()), () => {}),
    settings,
  ))
    found.push(fault);
  expect([...new Set(found.map(({ invariant }) => invariant))].filter((name) => name !== 'corrected_charges')).toEqual(
    [],
  );
  const messages = found.map(({ lane, laneSequence, message }) => `${lane}@${laneSequence}: ${message}`);
  return { messages, result: corrections.result() };
}

/** Changes rows of a correction, and its digest with them. */
async function change(number: number, what: string): Promise<void> {
  await store.command(`ALTER TABLE corrections ${what} SETTINGS mutations_sync = 2`);
  const { structure } = digestParts('digest');
  const [{ over }] = await store.query<{ over: string }>(
    `SELECT ${structure} AS over FROM corrections WHERE kind = 'head' AND number = ${number}`,
  );
  const [{ digits }] = await store.query<{ digits: string }>(
    `SELECT ${rowsDigestExpression(over)} AS digits FROM corrections WHERE number = ${number}`,
  );
  await store.command(
    `ALTER TABLE corrections UPDATE digest = '${digits} ${over.replaceAll("'", "\\'")}' WHERE kind = 'head' AND number = ${number} SETTINGS mutations_sync = 2`,
  );
}

async function factFaults(): Promise<string[]> {
  const found: string[] = [];
  for await (const { message } of auditFacts(store)) found.push(message);
  return found;
}

describe('corrections as they are booked', () => {
  beforeAll(openBooked);
  afterAll(() => opened?.close());

  test('of all kinds, forward and back and of one another, equal a second computation', async () => {
    const taken = rulesOf(
      changedCatalogue(['prefixes: [203.0.113.0/24], ', ''], [PREFIX, `${PREFIX.slice(0, -3)}, 203.0.113.0/24], `]),
    );
    const steps: [Rules, Parameters<typeof correct>[1]][] = [
      [RIGHT, read()],
      [PRICED, {}],
      [OTHER, {}],
      [RIGHT, { range: NOVEMBER }],
      [PRICED, { ...read(), range: OCTOBER }],
      [MISSED, read()],
      [RIGHT, read()],
      [taken, { ...read(), sponsorId: 'bolt' }],
      [taken, read()],
      [MISSED, read()],
      [MISSED, { ...read(), sponsorId: 'bolt' }],
    ];
    for (const [rules, options] of steps) expect(await correct(rules, options)).toMatchObject(booked);
    const { messages, result } = await audited();
    expect(messages).toEqual([]);
    expect(result).toMatchObject({ corrections: steps.length, withoutEnds: [], lost: [], ofErased: 0 });
    expect(result.records).toBeGreaterThan(2000);
  });

  /** Books what one catalogue gives under the name of another. */
  const as = (wrong: Rules, { catalogue }: Rules) =>
    new Rules({ ...wrong.catalogue, hash: catalogue.hash, canonicalJson: catalogue.canonicalJson });

  test.each<[string, string, [string, string][], RegExp]>([
    ['price', 'rows', [['"11.000003"', '"13"']], /charge_micros \d+, computed again \d+$/m],
    ['share', 'rows', [['image: 3333', 'image: 8888']], /sponsored_octets \d+, computed again \d+; subscriber_octets/],
    ['quota', 'rows', [['quotaOctets: 9000', 'quotaOctets: 300']], /reason quota_reached, computed again sponsored/],
    ['version', 'rows', [['version: 2', 'version: 9']], /plan_version 9, computed again 2$/m],
    ['price', 'source', [['"11.000003"', '"13"']], /charge_micros \d+, computed again \d+$/m],
    ['plan', 'source', [['id: any-day', 'id: any-other']], /plan_id any-other, computed again any-day/],
    ['prefix', 'source', [[PREFIX, '']], /it is not changed, and computed again it is charged to any by plan any-day/],
    ['tag', 'source', [['tags: [ANY]', 'tags: [ANYONE]']], /0 charges, and computed again it is charged to any/],
  ])(
    'by another %s, from %s, are found although their rows are as they were booked',
    async (_, from, changes, message) => {
      const wrong = rulesOf(changedCatalogue(...PRICES, ...changes));
      const result = await correct(as(wrong, PRICED), from === 'source' ? read() : {});
      expect(result).toMatchObject(booked);
      expect(await correct(MISSED, read())).toMatchObject(booked);
      expect(await factFaults()).toEqual([]);
      const number = 'number' in result ? result.number : 0;
      const { messages } = await audited();
      expect(messages.filter((text) => text.includes(`correction ${number},`)).join('\n')).toMatch(message);
      // What was right before and after it is still right.
      for (const other of [number - 1, number + 1]) expect(messages.join()).not.toContain(`correction ${other},`);
    },
  );
});

describe('corrections whose rows were changed together with their digest', () => {
  beforeAll(openBooked);
  afterAll(() => opened?.close());

  test.each([
    ['the source', true],
    ['rows', false],
  ])('a lane that is left out, from %s', async (_, isFromSource) => {
    const result = await correct(isFromSource ? RIGHT : PRICED, isFromSource ? read() : {});
    const number = 'number' in result ? result.number : 0;
    const own = async () => (await audited()).messages.filter((text) => text.includes(`correction ${number},`));
    expect(await own()).toEqual([]);
    await change(number, `DELETE WHERE number = ${number} AND topic = 'flows' AND partition = 1`);
    const found = await own();
    expect(new Set(found.map((text) => text.replace(/@.*record \d+/, '').slice(0, 60)))).toEqual(
      new Set([expect.stringMatching(/^flows-1: it is not changed, and computed again it /)]),
    );
  });

  test('a reversal without its charge, and rows of a record that nothing changes', async () => {
    const result = await correct(RIGHT, { range: NOVEMBER });
    const number = 'number' in result ? result.number : 0;
    const rows = `number = ${number} AND topic = 'flows' AND partition = 0`;
    const [{ place }] = await store.query<{ place: number }>(
      `SELECT min(offset) AS place FROM corrections WHERE ${rows} AND kind = 'reversal'`,
    );
    await change(number, `DELETE WHERE ${rows} AND kind = 'charge' AND offset = ${place}`);
    const [{ free }] = await store.query<{ free: number }>(
      `SELECT min(offset) AS free FROM journal WHERE kind = 'charge' AND topic = 'flows' AND partition = 0 AND offset NOT IN (SELECT offset FROM corrections WHERE ${rows})`,
    );
    await store.command(
      `INSERT INTO corrections (kind, number, topic, partition, offset, sponsor_id) SELECT 'reversal', ${number}, 'flows', 0, ${free}, 'acme'`,
    );
    const messages = (await audited()).messages.join('\n');
    expect(messages).toMatch(
      new RegExp(`correction ${number}, record ${place}: 0 charges, and computed again it is charged`),
    );
    expect(messages).toMatch(
      new RegExp(`correction ${number}, record ${free}: it is changed, and computed again it is as before`),
    );
  });

  test('a first charge with another value in any column', async () => {
    await correct(MISSED, read());
    const result = await correct(RIGHT, read());
    const number = 'number' in result ? result.number : 0;
    const changes = [
      "sponsor_id = 'bolt'",
      "currency = 'EUR'",
      "application_id = 'tagged'",
      "evidence = 'cdr'",
      "content_type = 'other'",
      'start_time = start_time + 1',
      "plan_id = 'other'",
      'plan_version = 99',
      'period_start = period_start + 1',
      "reason = 'charge_out_of_range'",
      'sponsored_octets = sponsored_octets - 1, subscriber_octets = subscriber_octets + 1',
      'charge_micros = charge_micros + 1',
      'used_octets_after = used_octets_after + 1',
      'carry_after = 9999',
      "subscriber = unhex('00000000000000000000000000000001')",
      "node_id = 'gw-other'",
      'local_sequence_number = local_sequence_number + 100000',
      'end_time = end_time + 1',
      'uplink_octets = uplink_octets + 1, downlink_octets = downlink_octets - 1',
      "record_booked_on = '2026-01-01'",
    ];
    const places = await store.query<{ place: number }>(
      `SELECT offset AS place FROM corrections WHERE number = ${number} AND lane = 'flows-0' AND downlink_octets > 0 AND reason = 'sponsored' ` +
        `AND content_type != 'other' ORDER BY offset LIMIT ${changes.length}`,
    );
    expect(places).toHaveLength(changes.length);
    for (const [at, what] of changes.entries()) {
      await change(
        number,
        `UPDATE ${what} WHERE number = ${number} AND kind = 'charge' AND topic = 'flows' AND partition = 0 AND offset = ${places[at].place}`,
      );
    }
    const expected = changes.map((what, at) => {
      const column = what.split(' ')[0];
      return expect.stringMatching(
        new RegExp(`^flows-0@\\d+: correction ${number}, record ${places[at].place}: .*${column} .*, computed again`),
      );
    });
    const { messages } = await audited();
    expect(messages.filter((text) => text.includes(`correction ${number},`))).toEqual(expected);
  });
});

describe('what a correction did not see, and what cannot be compared', () => {
  const [{ log }, { records }] = LOGS;
  const late = { log: { topic: 'late', partition: 0, lane: log.lane }, records };
  const all = [...LOGS, late];
  beforeAll(openBooked);
  afterAll(() => opened?.close());

  test('records that were booked after it are no part of it', async () => {
    await correct(PRICED);
    await correct(RIGHT, read());
    await store.command("INSERT INTO closings (number, sponsor_id, month) VALUES (1, 'acme', '2026-10-01')");
    await book(store, MISSED, late);
    expect((await audited(bookedSource(store, all))).messages).toEqual([]);
  });

  test('nor is a record that its plan refuses as late; what is of a closed month is compared', async () => {
    await correct(PRICED, { source: bookedSource(store, all) });
    await correct(RIGHT, { source: bookedSource(store, all) });
    const { messages, result } = await audited(bookedSource(store, all));
    expect(messages).toEqual([]);
    expect(result.corrections).toBe(4);
  });

  test('batches that the source lost are named', async () => {
    const { messages, result } = await audited(bookedSource(store, [...LOGS.slice(0, 3), late]));
    expect(messages).toEqual([]);
    expect(result.lost).toEqual([2, 3, 4].map((number) => ({ number, lane: 'files', fromLaneSequence: 5 })));
  });

  test('a correction that does not say how far it read is compared up to its last row in each lane', async () => {
    await change(1, "UPDATE read_through = [] WHERE number = 1 AND kind = 'head'");
    const sound = await audited(bookedSource(store, all));
    expect(sound).toMatchObject({ messages: [], result: { withoutEnds: [1], lost: [] } });
    await change(
      1,
      "UPDATE charge_micros = charge_micros + 1 WHERE number = 1 AND kind = 'charge' AND topic = 'flows' AND partition = 1",
    );
    const { messages } = await audited(bookedSource(store, all));
    expect(messages[0]).toMatch(/^flows-1@\d+: correction 1, record \d+: charge_micros \d+, computed again \d+$/);
  });

  test('a record of an erased subscriber is compared under its booked pseudonym, and is counted where nothing has it', async () => {
    const pseudonymKey = PSEUDONYM_KEY.erased('999000000001', Buffer.alloc(32, 9));
    const erased = () => bookedSource(store, all, { pseudonymKey });
    await correct(MISSED, { source: erased() });
    await correct(RIGHT, { source: erased() });
    await correct(PRICED, { source: erased() });
    const { messages, result } = await audited(erased(), pseudonymKey);
    expect(messages.filter((text) => !text.includes('correction 1,'))).toEqual([]);
    expect(result).toMatchObject({ corrections: 7 });
    expect(result.ofErased).toBeGreaterThan(0);
  });

  test('a catalogue that the store no longer has', async () => {
    const { hash } = PRICED.catalogue;
    await store.command(`ALTER TABLE catalogues DELETE WHERE hash = '${hash}' SETTINGS mutations_sync = 2`);
    const { messages } = await audited(bookedSource(store, all));
    expect(messages.filter((text) => text.startsWith('@0:'))).toEqual(
      [1, 3, 7].map((number) => `@0: correction ${number} names the catalogue ${hash}, which the store does not have`),
    );
  });
});
