import { expect, test } from 'vitest';
import { csvDecoder } from '../rating/decode/decode-csv.ts';
import { decodeJson } from '../rating/decode/decode-json.ts';
import { avroDecoder } from '../rating/decode-avro.ts';
import type { Decoder } from '../rating/flow-record.ts';
import { validateFlowRecord } from '../rating/record/validate.ts';
import { encodeGeneratedAvro, FLOW_RECORD_SCHEMA } from './encode-avro.ts';
import { CSV_HEADER, encodeGeneratedCsv, encodeGeneratedJson } from './encode-text.ts';
import { generateRecords } from './generate-records.ts';
import type { GeneratedRecord } from './generated-record.ts';
import {
  MALFORMATIONS,
  type Malformation,
  malformationsOf,
  RECORD_FORMATS,
  type RecordFormat,
} from './malformations.ts';

const SCHEMA_ID = 7;
const RECORD_LIMIT = 4096;
const readerSchema = JSON.parse(FLOW_RECORD_SCHEMA);
const decodeAvro = avroDecoder({ readerSchema, schemas: new Map([[SCHEMA_ID, readerSchema]]), header: 'auto' });

const CODECS: Record<RecordFormat, { encode: (generated: GeneratedRecord) => Uint8Array; decode: Decoder }> = {
  ndjson: { encode: (generated) => Buffer.from(encodeGeneratedJson(generated)), decode: decodeJson },
  csv: { encode: (generated) => Buffer.from(encodeGeneratedCsv(generated)), decode: csvDecoder(CSV_HEADER.split(',')) },
  avro: { encode: (generated) => encodeGeneratedAvro(generated), decode: decodeAvro },
  'avro-message': { encode: (generated) => encodeGeneratedAvro(generated), decode: decodeAvro },
  'confluent-message': { encode: (generated) => encodeGeneratedAvro(generated, SCHEMA_ID), decode: decodeAvro },
};

function generate(malformation: Malformation, count: number): GeneratedRecord[] {
  return [
    ...generateRecords({
      seed: 5,
      records: count,
      subscribers: 100,
      targets: [{ tags: ['CHAT'], prefixes: ['198.51.100.0/24'] }],
      startTimeMs: Date.UTC(2026, 9, 1),
      endTimeMs: Date.UTC(2026, 10, 1),
      malformed: 1,
      malformations: [malformation],
      oversizedOctets: RECORD_LIMIT + 1,
    }),
  ];
}

/** Returns the engine's reason for rejecting the bytes. */
function reasonOf(octets: Uint8Array, decode: Decoder): string {
  if (octets.length > RECORD_LIMIT) return 'oversized_record';
  const { candidate, fault } = decode(octets);
  if (fault !== undefined) return fault.reason;
  const judged = validateFlowRecord(candidate);
  return 'reason' in judged ? judged.reason : 'sound';
}

const CASES = MALFORMATIONS.flatMap(({ malformation, reason, formats }) =>
  formats.map((format) => ({ malformation, reason, format })),
);

test.each(CASES)('$malformation in $format is rejected as $reason', ({ malformation, reason, format }) => {
  const { encode, decode } = CODECS[format];
  const reasons = generate(malformation, 60).map((generated) => reasonOf(encode(generated), decode));
  expect(new Set(reasons)).toEqual(new Set([reason]));
});

test('the same record without its fault is valid in every format', () => {
  const [usual] = generateRecords({
    seed: 6,
    records: 1,
    subscribers: 1,
    targets: [{ tags: ['CHAT'], prefixes: ['198.51.100.0/24'] }],
    startTimeMs: Date.UTC(2026, 9, 1),
    endTimeMs: Date.UTC(2026, 10, 1),
  });
  for (const format of RECORD_FORMATS) {
    const { encode, decode } = CODECS[format];
    expect([format, reasonOf(encode(usual!), decode)]).toEqual([format, 'sound']);
  }
});

test('every format has faults that it can hold', () => {
  for (const format of RECORD_FORMATS) expect(malformationsOf(format).length).toBeGreaterThan(6);
  expect(malformationsOf('avro')).not.toContain('truncated');
});
