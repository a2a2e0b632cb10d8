import avro from 'avsc';
import type { AvroSchema } from '../billing/decode-avro.ts';
import { confluentHeader } from '../billing/quota-update-codec.ts';
import type { QuotaUpdateHead } from '../billing/quota-updates.ts';

/**
 * What the records of all updates under one head share. The subscriber's 32 digits are to be filled in, at the key's start
 * and at `digitsAt` of the value; after `value` come used, remaining, threshold, `afterUse`, and the offset.
 */
export interface QuotaUpdateParts {
  key: Uint8Array;
  value: Uint8Array;
  digitsAt: number;
  afterUse: Uint8Array;
}

export const DIGITS = 32;
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
  const digits = Buffer.alloc(DIGITS);
  const start = Buffer.concat([confluentHeader(schemaId), Buffer.of(DIGITS_LENGTH)]);
  return (head) => ({
    key: Uint8Array.from(Buffer.concat([digits, Buffer.from(`|${head.planId}`)])),
    value: Uint8Array.from(Buffer.concat([start, digits, beforeUse(head)])),
    digitsAt: start.length,
    afterUse: Uint8Array.from(afterUse(head)),
  });
}
