import assert from 'node:assert/strict';
import { encodeGeneratedAvro, FLOW_RECORD_SCHEMA } from '../../src/generator/encode-avro.ts';
import type { GenerateTarget } from '../../src/generator/generate-options.ts';
import { generateRecords } from '../../src/generator/generate-records.ts';
import { avroDecoder } from '../../src/rating/decode-avro.ts';
import { FlowBatch, UNDECIDED } from '../../src/rating/flow-record.ts';
import { type Incoming, type IngestContext, incoming } from '../../src/rating/incoming.ts';
import { Lane } from '../../src/rating/lane.ts';
import { admit } from '../../src/rating/pipeline.ts';
import { PLAIN_RULES } from '../../src/rating/record/record-limits.ts';
import type { Rules } from '../../src/rating/rules.ts';
import { PseudonymKey } from '../../src/rating/subscribers.ts';

const SCHEMA_ID = 1;
const SUBSCRIBERS = 100_000;
const THIRD = 1 / 3;
/** What a busy partition gets while its batches are cut. */
const START_MS = Date.UTC(2026, 9, 14, 18);
const SPAN_MS = 3_600_000;
const PSEUDONYM_KEY = PseudonymKey.ofRoot(Buffer.alloc(32, 7));
/** As the engine's own configuration has it. */
const DUPLICATE_WINDOW_RECORDS = 1_000_000;

const schema = JSON.parse(FLOW_RECORD_SCHEMA);
export const decoder = avroDecoder({ readerSchema: schema, schemas: new Map([[SCHEMA_ID, schema]]), header: 'auto' });
export const context: IngestContext = { decode: decoder, keyedByMsisdn: false, rules: PLAIN_RULES, bookingDay: 0 };

export function newLane(): Lane {
  return new Lane({ pseudonymKey: PSEUDONYM_KEY, duplicateWindowRecords: DUPLICATE_WINDOW_RECORDS });
}

/** Generated records as Avro with Confluent's header, in batches: a third tagged, a third by address, a third both. */
export function avroBatches(
  targets: readonly GenerateTarget[],
  seed: number,
  batches: number,
  records: number,
): Incoming[][] {
  const generated = generateRecords({
    seed,
    records: batches * records,
    subscribers: SUBSCRIBERS,
    targets,
    startTimeMs: START_MS,
    endTimeMs: START_MS + SPAN_MS,
    tagged: THIRD,
    ipMatched: THIRD,
    unmatched: 0,
  });
  const values = [...generated].map((record) => encodeGeneratedAvro(record, SCHEMA_ID));
  return Array.from({ length: batches }, (_, batch) =>
    values.slice(batch * records, (batch + 1) * records).map((value, row) => incoming(value, batch * records + row)),
  );
}

/** The batch of these records, and nothing decided of them yet. */
export function admitted(records: readonly Incoming[], lane: Lane, rules: Rules): FlowBatch {
  const batch = new FlowBatch(records.length);
  admit(batch, records, context, lane, rules);
  assertUndecided(batch);
  return batch;
}

/** No step had a reason against any of the records: what is measured is the whole way, not the way out. */
export function assertUndecided({ reason, count }: FlowBatch): void {
  assert.equal(
    reason.findIndex((code, row) => row < count && code !== UNDECIDED),
    -1,
  );
}

/** One after the other, and from the first again: what comes once in many turns has left the processor's cache. */
export function inTurns<T>(items: readonly T[]): () => T {
  let next = 0;
  return () => items[next++ % items.length];
}
