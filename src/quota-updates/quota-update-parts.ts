import avro from 'avsc';
import type { AvroSchema } from '../billing/decode-avro.ts';
import type { QuotaUpdateHead } from '../billing/quota-updates.ts';
import { confluentHeader } from './quota-update-codec.ts';

/**
 * The parts of an update's key and value that all updates under one head share. The key is the subscriber's digits and
 * `keyEnd`; the value is `start`, the digits, `beforeUse`, used, remaining, threshold, `afterUse`, and the offset.
 */
export interface QuotaUpdateParts {
  keyEnd: Uint8Array;
  start: Uint8Array;
  beforeUse: Uint8Array;
  afterUse: Uint8Array;
}

/** The length of the subscriber's 32 digits, as an Avro long. */
const DIGITS_LENGTH = 64;
const BEFORE_USE = ['sponsorId', 'applicationId', 'planId', 'planVersion', 'periodStart', 'quotaOctets'];
const AFTER_USE = ['version', 'topic', 'partition'];
const FIELDS = [
  'subscriber',
  ...BEFORE_USE,
  'usedOctets',
  'remainingOctets',
  'thresholdReached',
  ...AFTER_USE,
  'offset',
];

/** Encodes heads by `schemas/quota-update.avsc`; throws when that has other fields, or another order of them. */
export function quotaUpdateParts(schema: AvroSchema, schemaId?: number): (head: QuotaUpdateHead) => QuotaUpdateParts {
  const { fields } = avro.Type.forSchema(schema) as avro.types.RecordType;
  const names = fields.map(({ name }) => name);
  if (names.join() !== FIELDS.join()) throw new Error(`a quota update has the fields ${FIELDS}, not ${names}`);
  const encoderOf = (part: readonly string[]) => {
    const types = fields.filter(({ name }) => part.includes(name)).map(({ name, type }) => ({ name, type }));
    const type = avro.Type.forSchema({ type: 'record', name: 'Part', fields: types } as avro.Schema);
    return (head: QuotaUpdateHead) => type.toBuffer(head);
  };
  const [beforeUse, afterUse] = [encoderOf(BEFORE_USE), encoderOf(AFTER_USE)];
  const start = Buffer.concat([confluentHeader(schemaId), Buffer.of(DIGITS_LENGTH)]);
  return (head) => ({
    keyEnd: Buffer.from(`|${head.planId}`),
    start,
    beforeUse: beforeUse(head),
    afterUse: afterUse(head),
  });
}
