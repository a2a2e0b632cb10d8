import { admit, type Incoming, incoming } from '../../src/billing/admit.ts';
import { catalogueFromCanonicalJson } from '../../src/billing/catalogue-compile.ts';
import { type AvroSchema, avroDecoder } from '../../src/billing/decode-avro.ts';
import type { Decoder } from '../../src/billing/decoder.ts';
import { FlowBatch, NO_TAG } from '../../src/billing/flow-batch.ts';
import { Lane } from '../../src/billing/lane.ts';
import { Rules } from '../../src/billing/rules.ts';
import { encodeGeneratedAvro, FLOW_RECORD_SCHEMA } from '../../src/generator/encode-avro.ts';
import { generateRecords } from '../../src/generator/generate-records.ts';
import type { Random } from '../../src/generator/random.ts';
import { wholePlan } from '../whole-plan.ts';

/** Records of one batch, and so of one run of what is measured. */
export const RECORDS = 10_000;
const SCHEMA_ID = 1;
const SUBSCRIBERS = 5000;
const PREFIX_STEP = 16;

export interface Application {
  id: string;
  sponsor: string;
  tags: string[];
  prefixes: string[];
}

/** So many prefixes of 10.0.0.0/8 shared out among the applications, each of which has a tag and a sponsor of its own. */
export function applications(count: number, prefixes: number): Application[] {
  const all = Array.from({ length: count }, (_, index) => ({
    id: `app-${index}`,
    sponsor: `sponsor-${index}`,
    tags: [`TAG-${index}`],
    prefixes: [] as string[],
  }));
  // Apart: beside each other they would be one range.
  for (let index = 0; index < prefixes; index++) {
    const address = index * PREFIX_STEP;
    const text = `10.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}/29`;
    all[index % count].prefixes.push(text);
  }
  return all;
}

/** A third of the records has a tag of any application, a third an address of any prefix, the rest neither. */
export function drawEvidence(batch: FlowBatch, random: Random, applications: number, prefixes: number): void {
  for (let row = 0; row < batch.count; row++) {
    const evidence = random.integer(0, 2);
    batch.tagApplication[row] = evidence === 0 ? random.integer(0, applications - 1) : NO_TAG;
    const network = evidence === 1 ? 10 : 11;
    const host = random.integer(0, prefixes - 1) * PREFIX_STEP + random.integer(0, 7);
    batch.remoteAddress.set([0, 0, 0xffff, ((network << 24) | host) >>> 0], row * 4);
  }
}

export function rulesOf(all: readonly Application[]): Rules {
  const document = {
    sponsors: all.map(({ sponsor }) => ({ id: sponsor, name: sponsor, currency: 'USD', creditLimit: '1000.00' })),
    applications: all.map((application) => ({ ...application, match: 'any' })),
    plans: all.map(({ id }) => wholePlan(id, '0.01')),
  };
  return new Rules(catalogueFromCanonicalJson(JSON.stringify(document)));
}

/** Avro values with a Confluent header: a third has a tag, a third an address of one of the targets' prefixes. */
export function drawValues(targets: readonly Application[], seed: number): Incoming[] {
  const records = generateRecords({
    seed,
    records: RECORDS,
    subscribers: SUBSCRIBERS,
    targets,
    startTimeMs: Date.UTC(2026, 9, 1),
    endTimeMs: Date.UTC(2026, 9, 2),
    tagged: 1 / 3,
    ipMatched: 1 / 3,
    unmatched: 1 / 3,
    terse: true,
    contentTypes: { unknown: 1 },
  });
  const values = [...records].map((record) => encodeGeneratedAvro(record, SCHEMA_ID));
  // Beside each other, as a broker's answer has them.
  const octets = Buffer.concat(values);
  let valueStart = 0;
  return values.map((value, offset) => {
    const valueEnd = valueStart + value.length;
    const record = { ...incoming(value, offset), octets, valueStart, valueEnd };
    valueStart = valueEnd;
    return record;
  });
}

export function decoder(): Decoder {
  const schema: AvroSchema = JSON.parse(FLOW_RECORD_SCHEMA);
  return avroDecoder({ readerSchema: schema, schemas: new Map([[SCHEMA_ID, schema]]), header: 'confluent' });
}

/** Its window forgets a record's identity when the same record comes again in the next run. */
export function newLane(): Lane {
  return new Lane({ pseudonymKey: Buffer.alloc(32, 3), duplicateWindowRecords: RECORDS });
}

export function admitAll(batch: FlowBatch, values: readonly Incoming[], decode: Decoder, lane: Lane, rules: Rules) {
  batch.clear();
  for (const value of values) admit(batch, value, { decode, keyedByMsisdn: false }, lane, rules);
}

export function newBatch(): FlowBatch {
  return new FlowBatch(RECORDS);
}
