import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../../src/engine/engine.fixture.ts';
import { Random } from '../../src/generator/random.ts';
import { ClickHouseJournal } from '../../src/journal/clickhouse-journal.ts';
import { ClickHouseEvidence } from '../../src/journal/evidence/clickhouse-evidence.ts';
import type { JournalEvidence } from '../../src/journal/evidence/evidence.ts';
import { insertStatement, type Journal } from '../../src/journal/journal.ts';
import { type JournalBlock, journalBlock } from '../../src/journal/journal-block.ts';
import { structureOf } from '../../src/platform/clickhouse/native-block.ts';
import { LogRecord } from '../../src/platform/kafka/log-record.ts';
import { summarise } from '../../src/rating/batch-summary.ts';
import { decodeJson } from '../../src/rating/decode/decode-json.ts';
import { FlowBatch } from '../../src/rating/flow-record.ts';
import { Lane } from '../../src/rating/lane.ts';
import { admit, classifyBatch, rateBatch } from '../../src/rating/pipeline.ts';
import { PLAIN_RULES } from '../../src/rating/record/record-limits.ts';
import {
  type CounterRow,
  counterRows,
  type IdentityRow,
  identityRows,
  type RestoredCounters,
  type RestoredIdentities,
} from '../../src/rating/restored-columns.ts';
import { Rules } from '../../src/rating/rules.ts';
import { PSEUDONYM_KEY } from './engine-slot.ts';
import { SimulatedEvidence } from './simulated-evidence.ts';
import { SimulatedJournal } from './simulated-journal.ts';
import { SimulatedTraffic, simulatedCatalogues } from './simulated-traffic.ts';

const SEED = 20_261;
const ROUNDS = 40;
const WINDOW = 25;
const ALL_DAYS = 65_536;

let opened: OpenedStore;
beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
});
afterAll(() => opened?.close());

/** A writer of one lane, which alternates between two logs. Its blocks are the engine's own. */
class Writer {
  readonly name: string;
  readonly lane = new Lane({ pseudonymKey: PSEUDONYM_KEY, duplicateWindowRecords: WINDOW });
  readonly #random: Random;
  readonly #traffic: SimulatedTraffic;
  readonly #rules = new Rules(simulatedCatalogues(true)[0]);
  readonly #cursors = new Map<string, number>();
  #sequence = 0;
  #day = 0;

  constructor(name: string, number: number, random: Random) {
    this.name = name;
    this.#random = random;
    this.#traffic = new SimulatedTraffic(random, number, true);
  }

  get logs() {
    return ['flow', 'flow~2'].map((topic) => ({ topic, partition: 0, lane: this.name }));
  }

  /** Returns the next batch, and another one for its place: the same beginning, another end, another day. */
  next(): { block: JournalBlock; rival: JournalBlock } {
    const log = this.#random.pick(this.logs);
    const prev = this.#cursors.get(log.topic) ?? -1;
    const bookingDay = 20_785 + Math.floor(this.#sequence / 4);
    const rival = this.#gap(log, prev, bookingDay + 31);
    const records = this.#random.uniform() < 0.15 ? 0 : this.#random.integer(1, 12);
    const block = records === 0 ? this.#gap(log, prev, bookingDay) : this.#batch(log, prev, bookingDay, records);
    this.#cursors.set(log.topic, block.lastOffset);
    this.#sequence++;
    this.#day = bookingDay;
    return { block, rival };
  }

  #place(log: JournalBlock['log'], prev: number, bookingDay: number) {
    return {
      log,
      bookingDay,
      chainedDay: this.#day,
      prev,
      laneSequence: this.#sequence + 1,
      lanePosition: this.lane.position,
    };
  }

  #gap(log: JournalBlock['log'], prev: number, bookingDay: number): JournalBlock {
    const offsets = { firstOffset: prev + 1, lastOffset: prev + 3, gapReason: 'records_lost' as const };
    const place = { ...this.#place(log, prev, bookingDay), ...offsets };
    const nothing = new FlowBatch(0);
    return journalBlock(nothing, () => '', summarise(nothing), place, this.lane, this.#rules);
  }

  #batch(log: JournalBlock['log'], prev: number, bookingDay: number, records: number): JournalBlock {
    const batch = new FlowBatch(records);
    const context = { decode: decodeJson, keyedByMsisdn: true, rules: PLAIN_RULES, bookingDay };
    for (let offset = prev + 1; batch.count < records; offset += this.#random.pick([1, 1, 1, 3])) {
      admit(batch, [LogRecord.of({ ...this.#traffic.next(), offset })], context, this.lane, this.#rules);
    }
    const place = {
      ...this.#place(log, prev, bookingDay),
      firstOffset: batch.offset[0],
      lastOffset: batch.offset[records - 1],
      gapReason: '' as const,
    };
    classifyBatch(batch, this.lane, this.#rules);
    rateBatch(batch, this.lane, this.#rules);
    return journalBlock(batch, () => 'payload', summarise(batch), place, this.lane, this.#rules);
  }
}

async function all<T>(rows: AsyncIterable<T> | Iterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const row of rows) list.push(row);
  return list;
}
/** Returns fields in one order, bytes as digits. */
function text(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return `[${value.map(text)}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const fields = Object.entries(value).map(([name, held]) => `${name}=${text(held)}`);
  return `{${fields.sort()}}`;
}
/** Sorts rows where ClickHouse defines no order. */
const sorted = async (rows: AsyncIterable<unknown> | Iterable<unknown>) => (await all(rows)).map(text).sort();

/** Returns rows as they are, and those of columns. */
const countersOf = async (list: AsyncIterable<RestoredCounters> | CounterRow[]) =>
  (await all<RestoredCounters | CounterRow>(list)).flatMap((some) => ('count' in some ? [...counterRows(some)] : some));
const identitiesOf = async (list: AsyncIterable<RestoredIdentities> | IdentityRow[]) =>
  (await all<RestoredIdentities | IdentityRow>(list)).flatMap((some) =>
    'count' in some ? [...identityRows(some)] : some,
  );

/** Returns what an engine reads of a lane. */
async function readings(
  journal: Pick<Journal, 'digestAt' | 'head' | 'cursor' | 'counters' | 'seen' | 'moves'> | SimulatedJournal,
  { name, logs, lane }: Writer,
) {
  const head = await journal.head(name);
  return {
    head,
    digests: [await journal.digestAt(name, head.sequence), await journal.digestAt(name, head.sequence + 1)],
    cursors: [await journal.cursor(logs[0]), await journal.cursor(logs[1])],
    counters: await sorted(await countersOf(journal.counters(name, 20_700, ALL_DAYS))),
    late: await sorted(await countersOf(journal.counters(name, 0, 20_788))),
    seen: (await identitiesOf(journal.seen(name, Math.max(0, lane.position - WINDOW), lane.position))).map(text),
    moves: (await journal.moves(name, head.sequence - 1, head.sequence)).map(text).sort(),
    // Where two logs leave a counter at the same use, which of them moved it last is not said.
    waiting: (await journal.moves(name, head.sequence - 7, head.sequence - 1))
      .map(({ subscriber, planId, periodStart, usedOctets }) => text({ subscriber, planId, periodStart, usedOctets }))
      .sort(),
  };
}

async function evidenceOf(evidence: JournalEvidence) {
  const batches = await evidence.batches();
  const stored = [];
  for (const batch of batches) {
    const { rows, lists } = await evidence.stored(batch);
    const before = evidence.stateBefore(batch, WINDOW);
    stored.push({
      rows: rows.length,
      offsets: rows.map(({ offset }) => Number(offset)),
      lists: text(lists),
      counters: await sorted(await countersOf(before.counters)),
      seen: (await identitiesOf(before.seen)).map(text),
    });
  }
  return {
    batches: batches.map(({ numbers, ...batch }) => ({ ...batch, numbers: { ...numbers } })),
    stored,
    rowCount: await evidence.rowCount(),
    suspended: [...(await evidence.suspendedAsOf(2))].sort(),
    closed: [[...(await evidence.closedAsOf(2))].sort(), [...(await evidence.closedAsOf(3))].sort()],
    newest: await sorted(evidence.newestCounters()),
  };
}

test(`the simulated journal answers as ClickHouse does: seed ${SEED}`, async () => {
  const random = new Random(SEED);
  const real = new ClickHouseJournal(opened.store);
  const simulated = new SimulatedJournal();
  const writers = [new Writer('a', 0, random), new Writer('b', 1, random)];
  const insertBoth = (block: JournalBlock) =>
    Promise.all([
      real.insert(block).catch(({ code }) => code),
      (async () => simulated.commit(simulated.arrive(block)))().catch(({ code }) => code),
    ]);
  for (let round = 0; round < ROUNDS; round++) {
    const writer = random.pick(writers);
    const { block, rival } = writer.next();
    // Its guard held when it arrived; it is committed only after the other one.
    const late = simulated.arrive(rival);
    expect(await insertBoth(block)).toEqual([undefined, undefined]);
    simulated.commit(late);
    const withoutGuard = (source: string) =>
      insertStatement(rival, source).replace(/ WHERE throwIf\(.*\) = 0 ORDER BY ALL/s, '');
    await opened.store.insertBlock(withoutGuard, structureOf(rival.columns), rival.parts);
    if (round % 5 === 0) {
      expect(await insertBoth(block)).toEqual(['batch_fenced', 'batch_fenced']);
      expect(await insertBoth(rival)).toEqual(['batch_fenced', 'batch_fenced']);
    }
    expect(await readings(simulated, writer)).toEqual(await readings(real, writer));
  }
  for (const [index, suspended] of [true, true, false].entries()) {
    const sponsorId = ['acme', 'bolt', 'acme'][index];
    await opened.store.command(
      `INSERT INTO account_entries (number, sponsor_id, kind) VALUES (${index + 1}, '${sponsorId}', '${suspended ? 'suspension' : 'resumption'}')`,
    );
    simulated.suspensionFacts.push({ sponsorId, suspended });
  }
  for (const [index, name] of ['2026-09-01', '2026-09-01', '2026-10-01'].entries()) {
    const sponsorId = ['acme', 'bolt', 'acme'][index];
    const endedByMs = Date.parse(name) + 40 * 86_400_000 + index;
    await opened.store.command(
      'INSERT INTO closings (number, sponsor_id, month, periods_ended_by) ' +
        `VALUES (${index + 1}, '${sponsorId}', '${name}', fromUnixTimestamp64Milli(toInt64(${endedByMs}), 'UTC'))`,
    );
    simulated.closingFacts.push({ sponsorId, month: Date.parse(name) / 86_400_000, endedByMs });
  }
  expect(simulated.facts()).toEqual(await real.facts());
  expect(await evidenceOf(new SimulatedEvidence(simulated))).toEqual(
    await evidenceOf(new ClickHouseEvidence(opened.store)),
  );
});
