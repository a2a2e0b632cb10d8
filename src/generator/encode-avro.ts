import { readFileSync } from 'node:fs';
import avro from 'avsc';
import { varintOf } from '../formats/varint.ts';
import { packagePath } from '../platform/package-paths.ts';
import { type Candidate, NO_LATER_FIELDS } from '../rating/flow-record.ts';
import { NO_IDENTITIES } from './generate-options.ts';
import type { GeneratedRecord } from './generated-record.ts';

/** Text of `schemas/flow-record.avsc`: the schema of generated Avro. */
export const FLOW_RECORD_SCHEMA = readFileSync(packagePath('schemas/flow-record.avsc'), 'utf8');

const flowRecordSchema = JSON.parse(FLOW_RECORD_SCHEMA);
const flowRecordType = avro.Type.forSchema(flowRecordSchema);
/** The fields behind the octets: two identities, five of the network and the account, one byte each where they are null. */
const FIELDS_AT_END = 8;
const endType = avro.Type.forSchema({
  ...flowRecordSchema,
  name: 'EndOfFlowRecord',
  fields: flowRecordSchema.fields.slice(-FIELDS_AT_END),
});
const CONFLUENT_MAGIC = 0;
const CONFLUENT_HEADER_OCTETS = 5;
/** An id that no registry has assigned. */
const UNKNOWN_SCHEMA_ID = 2_147_483_646;
// A varint that never ends.
const GARBAGE = Buffer.alloc(32, 0xff);

/** Returns one flow record as Avro: bare, or after a Confluent wire header when `schemaId` is given. */
export function encodeFlowRecordAvro(record: Candidate | object, schemaId?: number): Buffer {
  const datum = encodeDatum(record as Candidate);
  return schemaId === undefined ? datum : Buffer.concat([confluentHeader(schemaId), datum]);
}

/** Returns a generated record as Avro, with the byte faults of a malformed record. */
export function encodeGeneratedAvro(generated: GeneratedRecord, schemaId?: number): Buffer {
  if (generated.kind !== 'malformed') return encodeFlowRecordAvro(generated.record, schemaId);
  switch (generated.malformation) {
    case 'unknown_schema_id':
      return encodeFlowRecordAvro(generated.fields, UNKNOWN_SCHEMA_ID);
    case 'garbage':
      return schemaId === undefined ? GARBAGE : Buffer.concat([confluentHeader(schemaId), GARBAGE]);
    case 'truncated': {
      const whole = encodeFlowRecordAvro(generated.fields, schemaId);
      return whole.subarray(0, Math.floor(whole.length / 2));
    }
    default:
      return encodeFlowRecordAvro(generated.fields, schemaId);
  }
}

/** Encodes the fields. avsc refuses longs that are no exact integer; then octets and what is behind them are encoded here. */
function encodeDatum(fields: Candidate): Buffer {
  const octets = [fields.uplinkOctets, fields.downlinkOctets];
  if (octets.every(Number.isSafeInteger)) return flowRecordType.toBuffer(fields);
  const emptied = { ...fields, uplinkOctets: 0, downlinkOctets: 0, ...NO_IDENTITIES, ...NO_LATER_FIELDS };
  return Buffer.concat([
    // Each of them is one byte.
    flowRecordType.toBuffer(emptied).subarray(0, -octets.length - FIELDS_AT_END),
    ...octets.map((value) => varintOf(BigInt(value as number))),
    endType.toBuffer(fields),
  ]);
}

function confluentHeader(schemaId: number): Buffer {
  const header = Buffer.alloc(CONFLUENT_HEADER_OCTETS);
  header.writeUInt8(CONFLUENT_MAGIC, 0);
  header.writeInt32BE(schemaId, 1);
  return header;
}
