import avro from 'avsc';
import type { AvroSchema } from './decode-avro.ts';

/**
 * What is left of one subscriber's quota: absolute, so the last one wins. Keyed by subscriber and plan; a consumer keeps
 * the one with the highest (`periodStart`, `version`).
 */
export interface QuotaUpdate {
  /** Pseudonym, 32 hex digits. */
  subscriber: string;
  sponsorId: string;
  applicationId: string;
  planId: string;
  planVersion: number;
  /** First day of the statistics period in the plan's time zone, days since 1970-01-01. */
  periodStart: number;
  quotaOctets: number;
  usedOctets: number;
  remainingOctets: number;
  /** The highest of the plan's notify thresholds that the use has reached, in basis points; 0 below all of them. */
  thresholdReached: number;
  /** Records booked in the lane up to and with the batch that this update is derived from; grows with every batch. */
  version: number;
  topic: string;
  partition: number;
  /** The record that moved the counter last. */
  offset: number;
}

const CONFLUENT_MAGIC = 0;
const CONFLUENT_HEADER_OCTETS = 5;

export interface QuotaUpdateCodec {
  /** Throws on an update that the schema does not hold, as on a long beyond 2^53 - 2. */
  encode(update: QuotaUpdate): Buffer;
  /** Throws on bytes that are no quota update, or that name another schema id. */
  decode(value: Uint8Array): QuotaUpdate;
}

/**
 * Quota updates as Avro: bare, or after a Confluent header (octet 0, schema id as u32 big-endian) when `schemaId` is given.
 * `schema` is `schemas/quota-update.avsc`. Its date stays a count of days.
 */
export function quotaUpdateCodec(schema: AvroSchema, schemaId?: number): QuotaUpdateCodec {
  const type = avro.Type.forSchema(schema);
  const header = confluentHeader(schemaId);
  return {
    encode(update) {
      return Buffer.concat([header, type.toBuffer(update)]);
    },
    decode(value) {
      const octets = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      if (!octets.subarray(0, header.length).equals(header)) throw new Error(`no header of schema ${schemaId}`);
      return { ...type.fromBuffer(octets.subarray(header.length)) };
    },
  };
}

/** The header before a value that names its schema; empty for one that does not. */
export function confluentHeader(schemaId?: number): Buffer {
  if (schemaId === undefined) return Buffer.alloc(0);
  const header = Buffer.alloc(CONFLUENT_HEADER_OCTETS);
  header.writeUInt8(CONFLUENT_MAGIC, 0);
  header.writeUInt32BE(schemaId, 1);
  return header;
}
