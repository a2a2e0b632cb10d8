import avro from 'avsc';
import type { AvroSchema } from '../billing/decode-avro.ts';
import type { QuotaUpdate } from '../billing/quota-update.ts';

const CONFLUENT_MAGIC = 0;
const CONFLUENT_HEADER_OCTETS = 5;

export interface QuotaUpdateCodec {
  /** Throws on an update that the schema does not hold, as on a long beyond 2^53 - 2. */
  encode(update: QuotaUpdate): Buffer;
  /** The same, written at the start of `out`: gives its length. Throws if there is not room enough. */
  encodeInto(update: QuotaUpdate, out: Buffer): number;
  /** Throws on bytes that are no quota update, or that name another schema id. */
  decode(value: Uint8Array): QuotaUpdate;
}

/**
 * Quota updates as Avro: bare, or after a Confluent header (octet 0, schema id as u32 big-endian) when `schemaId` is given.
 * `schema` is `schemas/quota-update.avsc`. Its date stays a count of days.
 */
export function quotaUpdateCodec(schema: AvroSchema, schemaId?: number): QuotaUpdateCodec {
  const type = avro.Type.forSchema(schema);
  const header = schemaId === undefined ? Buffer.alloc(0) : confluentHeader(schemaId);
  return {
    encode(update) {
      return Buffer.concat([header, type.toBuffer(update)]);
    },
    encodeInto(update, out) {
      header.copy(out);
      const end = type.encode(update, out, header.length);
      if (end < 0) throw new RangeError(`a quota update has more than ${out.length} octets`);
      return end;
    },
    decode(value) {
      const octets = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      if (!octets.subarray(0, header.length).equals(header)) throw new Error(`no header of schema ${schemaId}`);
      return { ...type.fromBuffer(octets.subarray(header.length)) };
    },
  };
}

function confluentHeader(schemaId: number): Buffer {
  const header = Buffer.alloc(CONFLUENT_HEADER_OCTETS);
  header.writeUInt8(CONFLUENT_MAGIC, 0);
  header.writeUInt32BE(schemaId, 1);
  return header;
}
