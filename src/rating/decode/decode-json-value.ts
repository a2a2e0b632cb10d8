import { type Candidate, type Decoded, type Decoder, FLOW_RECORD_FIELDS } from '../flow-record.ts';
import { decodeJson, jsonLayout } from './decode-json.ts';

const OPENING_BRACE = 0x7b;
/** Octet 0 and a schema id of 4 octets, or of 8. */
const HEADERS_OCTETS = [5, 9];

/**
 * Decodes a value of a JSON topic: an object; after the header of a schema registry, which JSON Schema's serializer writes; or in
 * the envelope `{"schema", "payload"}` that Kafka Connect writes (schemas.enable=true).
 */
export const decodeJsonValue: Decoder = Object.assign(decode, jsonLayout);

function decode(value: Uint8Array): Decoded {
  if (value.length === 0) return malformed('no value: a tombstone, or an empty record');
  const octets = value[0] === 0 ? withoutHeader(value) : value;
  if (octets === null) {
    return malformed(
      'a header of a schema registry, and no JSON after it: Avro needs valueFormat: avro; Protobuf is not read',
    );
  }
  const decoded = decodeJson(octets);
  return decoded.candidate === undefined ? decoded : unwrapped(decoded.candidate);
}

function withoutHeader(value: Uint8Array): Uint8Array | null {
  const header = HEADERS_OCTETS.find((octets) => value[octets] === OPENING_BRACE);
  return header === undefined ? null : value.subarray(header);
}

function unwrapped(candidate: Candidate): Decoded {
  const { schema, payload } = candidate;
  const isEnvelope = schema !== undefined && payload !== undefined && Object.keys(candidate).length === 2;
  const fields = isEnvelope ? payload : candidate;
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    return malformed('an envelope of Kafka Connect whose payload is no object');
  }
  if ('before' in fields && 'after' in fields && !('nodeId' in fields)) {
    return malformed('a change event of Debezium; unwrap it with the transformation ExtractNewRecordState');
  }
  // They are written in base64, which is text too.
  const encoded = isEnvelope ? bytesField(schema) : undefined;
  if (encoded !== undefined) {
    return { fault: { reason: 'invalid_field', detail: `${encoded} is of the type bytes in the envelope's schema` } };
  }
  return { candidate: fields as Candidate };
}

function bytesField(schema: unknown): string | undefined {
  const { fields } = (schema ?? {}) as { fields?: unknown };
  if (!Array.isArray(fields)) return undefined;
  return FLOW_RECORD_FIELDS.find((name) => fields.some((each) => each?.type === 'bytes' && each.field === name));
}

function malformed(detail: string): Decoded {
  return { fault: { reason: 'malformed', detail } };
}
