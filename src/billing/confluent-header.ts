import type { Decoded } from './decoder.ts';

/** Octet 0, then the id of the writer's schema as u32 big-endian. */
export const CONFLUENT_HEADER_OCTETS = 5;

/** The schema id of a header that begins at `start`. */
export function schemaIdAt(octets: Uint8Array, start: number): number {
  return ((octets[start + 1] << 24) | (octets[start + 2] << 16) | (octets[start + 3] << 8) | octets[start + 4]) >>> 0;
}

/** What becomes of a record whose schema nobody knows, or knew: only its header is looked at. */
export function rejectUnknownSchema(value: Uint8Array): Decoded {
  if (value[0] !== 0)
    return { fault: { reason: 'malformed', detail: 'no Confluent header: the first octet is not 0' } };
  if (value.length < CONFLUENT_HEADER_OCTETS) {
    return { fault: { reason: 'malformed', detail: 'ends inside of the Confluent header' } };
  }
  return { fault: { reason: 'unknown_schema', detail: `no schema with the id ${schemaIdAt(value, 0)} is known` } };
}
