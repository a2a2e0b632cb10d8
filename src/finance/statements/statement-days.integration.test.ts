import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../../engine/engine.fixture.ts';
import { readCoverage } from '../closing/coverage.ts';
import { coveredCsv } from '../closing/covered-rows.ts';
import { Booker, bookCorrection, catalogueOf } from './finance.fixture.ts';
import type { FileRow } from './rows-file.ts';
import { statementOf } from './statement.ts';
import { type Statement, statementJson, statementSchema } from './statement-document.ts';
import { readRows, verified } from './verify.fixture.ts';

/** Weeks in Los Angeles: the week of 26 October ends on 1 November. */
const WEEKLY = catalogueOf(`
sponsors: [{ id: chatter, name: Chatter, currency: USD, creditLimit: "1000" }]
applications: [{ id: chat, sponsor: chatter, tags: [CHAT] }]
plans:
  - id: chat-weekly
    application: chat
    version: 3
    effectiveFrom: 2020-01-01T00:00:00Z
    effectiveTo: null
    period: week
    timeZone: America/Los_Angeles
    content: { text: 10000 }
    quotaOctets: null
    tiers: [{ upToOctets: null, pricePerMiB: "2" }]
`);
const MIB = 2 ** 20;

let opened: OpenedStore;
let statement: Statement;
let rows: readonly FileRow[] = [];

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  const uses = ['2026-10-06T06:59:59.999Z', '2026-10-06T07:00:00Z', '2026-11-01T06:59:59Z', '2026-11-01T12:00:00Z'];
  await new Booker(opened.store, 'flows').book(
    uses.map((at) => ({ at, octets: MIB })),
    '2026-11-20',
    { catalogue: WEEKLY },
  );
  await bookCorrection(opened.store, { number: 1, month: '2026-10', factor: 50, bookedOn: '2026-11-21' });
  const coverage = await readCoverage(opened.store, 'chatter', '2026-10');
  statement = await statementOf(opened.store, coverage);
  const chunks: Uint8Array[] = [];
  for await (const chunk of coveredCsv(opened.store, coverage, statement.proof.leaves)) chunks.push(chunk);
  ({ rows } = await readRows(Buffer.concat(chunks)));
});
afterAll(() => opened?.close());

test('the days are those of use in the plan’s time zone, corrections included, on any booking date', () => {
  expect(statement.timeZones).toEqual([{ planId: 'chat-weekly', planVersion: 3, timeZone: 'America/Los_Angeles' }]);
  expect(statement.byDay.map(({ day, chargeMicros }) => [day, chargeMicros])).toEqual([
    ['2026-10-05', 1_000_000n],
    ['2026-10-06', 1_000_000n],
    ['2026-10-31', 1_000_000n],
    ['2026-11-01', 1_000_000n],
  ]);
});

test('they are those of view usage_by_day', async () => {
  const days = await opened.store.query(
    "SELECT day_of_use AS day, toString(sum(charge_micros)) AS micros FROM usage_by_day WHERE month = '2026-10-01' GROUP BY day ORDER BY day",
  );
  expect(days).toEqual(statement.byDay.map(({ day, chargeMicros }) => ({ day, micros: String(chargeMicros) })));
});

test('verify finds the same days in the rows without a store', async () => {
  expect((await verified(statement, rows)).faults).toEqual([]);
});

test('verify detects a statement with another time zone', async () => {
  const moved = { ...statement, timeZones: [{ ...statement.timeZones[0], timeZone: 'Asia/Tokyo' }] };
  expect((await verified(moved, rows)).faults.filter((fault) => fault.startsWith('byDay['))).not.toEqual([]);
});

test('an older statement, with its days in UTC and no time zones, is read and verifies', async () => {
  const { timeZones: _, ...document } = JSON.parse(statementJson(statement));
  const usage = (micros: string) => ({ ...document.byDay[0], chargeMicros: micros });
  const byDay = [
    { ...usage('2000000'), day: '2026-10-06', sponsoredOctets: String(2 * MIB) },
    { ...usage('2000000'), day: '2026-11-01', sponsoredOctets: String(2 * MIB) },
  ];
  const old = statementSchema.parse({ ...document, byDay });
  expect(old.timeZones).toEqual([]);
  expect((await verified(old, rows)).faults).toEqual([]);
});

test('a statement with an invalid time zone is refused', () => {
  const document = JSON.parse(statementJson(statement));
  document.timeZones[0].timeZone = 'Mars/Olympus';
  expect(statementSchema.safeParse(document).error?.issues[0].message).toMatch(/IANA/);
});
