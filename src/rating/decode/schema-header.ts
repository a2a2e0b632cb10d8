import type { Reason } from '../outcome.ts';
import type { Decoded } from './decoder.ts';

/** Octets of a schema id after the header's first octet, 0: 4 as Confluent has it, 8 as Apicurio does where nothing is configured. */
export type IdOctets = 4 | 8;

/** Single-object encoding (Avro 1.12): this, then the fingerprint of the writer's schema. */
const SINGLE_OBJECT = [0xc3, 0x01] as const;
const FINGERPRINT_OCTETS = 8;
export const SINGLE_OBJECT_HEADER_OCTETS = SINGLE_OBJECT.length + FINGERPRINT_OCTETS;

/** The schema id, big-endian, of a header that begins at `start`. */
export function schemaIdAt(octets: Uint8Array, start: number, idBytes: IdOctets): number {
  return idBytes === 4 ? wordAt(octets, start + 1) : wordAt(octets, start + 1) * 2 ** 32 + wordAt(octets, start + 5);
}

function wordAt(octets: Uint8Array, at: number): number {
  return ((octets[at] << 24) | (octets[at + 1] << 16) | (octets[at + 2] << 8) | octets[at + 3]) >>> 0;
}

export function isSingleObject(octets: Uint8Array): boolean {
  return octets[0] === SINGLE_OBJECT[0] && octets[1] === SINGLE_OBJECT[1];
}

/** The fingerprint of a single object's header, in hexadecimal. */
export function fingerprintAt(octets: Buffer): string {
  return octets.toString('hex', SINGLE_OBJECT.length, SINGLE_OBJECT_HEADER_OCTETS);
}

/** What becomes of a record whose schema is not known, or was not: only its header is looked at. */
export function rejectUnknownSchema(value: Uint8Array, idBytes: IdOctets = 4): Decoded {
  if (isSingleObject(value)) return rejectUnknownFingerprint(value);
  if (value[0] !== 0) return fault('malformed', noHeader(value));
  if (value.length <= idBytes) return fault('malformed', 'ends inside of the Confluent header');
  const id = schemaIdAt(value, 0, idBytes);
  // A registry counts from 1: the first half of a longer id.
  const hint = idBytes === 4 && id === 0 ? '; with ids of 8 octets, as Apicurio writes them, set avro.idBytes: 8' : '';
  return fault('unknown_schema', `no schema with the id ${id} is known${hint}`);
}

function rejectUnknownFingerprint(value: Uint8Array): Decoded {
  const octets = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (octets.length < SINGLE_OBJECT_HEADER_OCTETS) return fault('malformed', 'ends inside of the single-object header');
  const fingerprint = fingerprintAt(octets);
  return fault('unknown_schema', `no schema with the fingerprint ${fingerprint} is known; name it under avro.schemas`);
}

function noHeader(value: Uint8Array): string {
  if (value.length === 0) return 'no value: a tombstone, or an empty record';
  const remedy =
    value[0] === 0x7b
      ? 'it looks like JSON, see valueFormat'
      : 'where the producer writes schema ids into Kafka headers (__value_schema_id), let it write them before the value';
  return `no Confluent header: the first octet is not 0; ${remedy}`;
}

function fault(reason: Reason, detail: string): Decoded {
  return { fault: { reason, detail } };
}
