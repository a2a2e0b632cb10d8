import type avro from 'avsc';
import { NOT_PLAIN, plainDatum } from './admission-kernel.ts';
import { rabinFingerprint } from './decode/avro-canonical-form.ts';
import { type AvroRecord, type AvroType, parseAvroSchema } from './decode/avro-schema.ts';
import { flowDatumDecoder } from './decode/flow-datum.ts';
import { type FlowLayout, flowLayoutOf } from './decode/flow-layout.ts';
import { resolveFlowFields } from './decode/resolve-flow-fields.ts';
import type { Decoded, Decoder } from './flow-record.ts';
import type { Reason } from './outcome.ts';

/** An Avro schema as JSON.parse gives it. */
export type AvroSchema = avro.Schema;

export interface AvroDecoderOptions {
  /** What the engine reads: the flow record's own schema. */
  readerSchema: AvroSchema;
  /** Writers' schemas by the id that a header names. */
  schemas: ReadonlyMap<number, AvroSchema>;
  /** The writers' schema of records without a header; absent: the reader's own. */
  bareSchema?: AvroSchema;
  /**
   * `auto` takes a first octet of 0 for a Confluent header and C3 01 for a single object's: a bare flow record starts with
   * nodeId's length, which is neither.
   */
  header: 'auto' | 'confluent' | 'single-object' | 'bare';
  /** Default 4. */
  idBytes?: IdBytes;
}

/** Decodes records of schemas known from the start, and of those that it is taught. */
export interface AvroDecoder extends Decoder {
  plainDatum(octets: Uint8Array, start: number, end: number): number;
  /** Whether `auto` distinguishes a bare record from a headed one whose schema is not known. */
  readonly distinguishesHeaders: boolean;
  /** The id in the header of the record in [start, end) if no schema of that id is known; otherwise NO_ID. */
  unknownIdOf(octets: Uint8Array, start: number, end: number): number;
  /** From now on this id names this schema. One that is no flow record's makes its records `incompatible_schema`. */
  learn(id: number, schema: AvroSchema): void;
}

export const NO_ID = -1;
/** What the store can keep, and what registries that count from 1 reach. */
const MAX_ID = 2 ** 32 - 1;

/**
 * Decodes one Avro datum, with an optional header that names its writer's schema (Confluent's or single-object encoding). The
 * writer's fields are read as the flow record's by their names (`resolveFlowFields`), whatever the record is called: they may be
 * added, removed if the flow record has a default, reordered, nullable, or of another type that holds the same. Throws, when it
 * is made, on a schema that cannot be read as a flow record.
 */
export function avroDecoder(options: AvroDecoderOptions): AvroDecoder {
  const { readerSchema, header, idBytes = 4 } = options;
  const reader = recordOf(readerSchema);
  const resolve = (schema: AvroSchema, name: string) => resolved(reader, schema, name);
  const bare = resolve(options.bareSchema ?? readerSchema, 'the schema of records without a header');
  const byId = new Map([...options.schemas].map(([id, schema]) => [id, resolve(schema, nameOf(id))]));
  const byFingerprint = fingerprinted([resolve(readerSchema, 'the flow record'), bare, ...byId.values()]);
  const distinguishesHeaders = header !== 'auto' || startsWithNodeId(reader, bare.type);
  const headerBytes = 1 + idBytes;

  const decodeHeaded = (octets: Buffer): Decoded | null => {
    const isWhole = octets[0] === 0 && octets.length >= headerBytes;
    const known = isWhole ? byId.get(schemaIdAt(octets, 0, idBytes)) : undefined;
    return known === undefined ? null : known.decode(octets.subarray(headerBytes));
  };
  const decodeSingle = (octets: Buffer): Decoded | null => {
    const isWhole = isSingleObject(octets) && octets.length >= SINGLE_OBJECT_HEADER_OCTETS;
    const known = isWhole ? byFingerprint.get(fingerprintAt(octets)) : undefined;
    return known === undefined ? null : known.decode(octets.subarray(SINGLE_OBJECT_HEADER_OCTETS));
  };
  const decode: Decoder = (value) => {
    const octets = Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    if (header === 'bare') return bare.decode(octets);
    if (header === 'confluent') return decodeHeaded(octets) ?? rejectUnknownSchema(octets, idBytes);
    if (header === 'single-object') return decodeSingle(octets) ?? rejectNoSingleObject(octets);
    const decoded = octets[0] === 0 ? decodeHeaded(octets) : decodeSingle(octets);
    if (decoded !== null) return decoded;
    const isBare = !distinguishesHeaders || (octets[0] !== 0 && !isSingleObject(octets));
    return isBare ? bare.decode(octets) : rejectUnknownSchema(octets, idBytes);
  };
  let knownId = NO_ID; // the last one seen
  return Object.assign(decode, {
    plainDatum: datumFinder(header, idBytes, bare.layout, byId),
    distinguishesHeaders,
    unknownIdOf(octets: Uint8Array, start: number, end: number): number {
      if (octets[start] !== 0 || end - start < headerBytes || !distinguishesHeaders) return NO_ID;
      if (header === 'bare' || header === 'single-object') return NO_ID;
      const id = schemaIdAt(octets, start, idBytes);
      if (id !== knownId && !byId.has(id)) return id > MAX_ID ? NO_ID : id;
      knownId = id;
      return NO_ID;
    },
    learn(id: number, schema: AvroSchema): void {
      byId.set(
        id,
        tried(() => resolve(schema, nameOf(id))),
      );
    },
  });
}

/** What is known of one writer's schema. */
interface Resolved {
  decode: Decoder;
  /** Null where datums are not laid out as the flow record's own are, or were. */
  layout: FlowLayout | null;
  type: AvroType | null;
}

function resolved(reader: AvroRecord, schema: AvroSchema, name: string): Resolved {
  try {
    const type = parseAvroSchema(schema);
    const decode = flowDatumDecoder(reader, type, name);
    return {
      decode,
      type,
      layout: type.kind === 'record' ? flowLayoutOf(type, resolveFlowFields(reader, type)) : null,
    };
  } catch (cause) {
    throw new TypeError(`${name} cannot be read as a flow record: ${(cause as Error).message}`, { cause });
  }
}

function recordOf(schema: AvroSchema): AvroRecord {
  const type = parseAvroSchema(schema);
  if (type.kind === 'record') return type;
  throw new TypeError('the flow record’s own schema is no record');
}

function nameOf(id: number): string {
  return `schema ${id}`;
}

/** What rejects every record with the reason that there is no decoder, where there is none. */
function tried(resolve: () => Resolved): Resolved {
  try {
    return resolve();
  } catch (error) {
    const rejected = fault('incompatible_schema', (error as Error).message);
    return { decode: () => rejected, layout: null, type: null };
  }
}

function fingerprinted(known: readonly Resolved[]): Map<string, Resolved> {
  return new Map(known.flatMap((each) => (each.type === null ? [] : [[rabinFingerprint(each.type), each] as const])));
}

/** Then its first octet is never 0, nor the first of a single object: a text's length is neither nothing nor negative. */
function startsWithNodeId(reader: AvroRecord, type: AvroType | null): boolean {
  if (type?.kind !== 'record') return false;
  const [first] = type.fields;
  const isText = first?.type.kind === 'string' || first?.type.kind === 'bytes';
  return isText && resolveFlowFields(reader, type)[0] === 'nodeId';
}

/** Finds datums of plain schemas, whichever schema id names them. */
function datumFinder(
  header: AvroDecoderOptions['header'],
  idBytes: IdBytes,
  bareLayout: FlowLayout | null,
  byId: ReadonlyMap<number, Resolved>,
) {
  const headerBytes = 1 + idBytes;
  // The last ones seen: a topic's records nearly all have the same.
  let plainId = NO_ID;
  let layout: FlowLayout | null = null;
  return (octets: Uint8Array, start: number, end: number): number => {
    const first = start < end ? octets[start] : -1;
    const headed = header === 'confluent' || (header === 'auto' && first === 0);
    if (!headed) {
      return bareLayout === null || header === 'single-object' ? NOT_PLAIN : plainDatum(start, bareLayout);
    }
    const datum = start + headerBytes;
    if (first !== 0 || datum > end) return NOT_PLAIN;
    const id = schemaIdAt(octets, start, idBytes);
    if (id !== plainId) {
      layout = byId.get(id)?.layout ?? null;
      plainId = layout === null ? NO_ID : id;
    }
    return layout === null ? NOT_PLAIN : plainDatum(datum, layout);
  };
}

function rejectNoSingleObject(octets: Buffer): Decoded {
  if (isSingleObject(octets)) return rejectUnknownSchema(octets);
  return fault('malformed', 'no single object: the first octets are not C3 01');
}

function fault(reason: Reason, detail: string): Decoded {
  return { fault: { reason, detail } };
}

/** Octets of a schema id after the header's first octet, 0: 4 as Confluent has it, 8 as Apicurio does where nothing is configured. */
type IdBytes = 4 | 8;

/** Single-object encoding (Avro 1.12): this, then the fingerprint of the writer's schema. */
const SINGLE_OBJECT = [0xc3, 0x01] as const;
const FINGERPRINT_OCTETS = 8;
const SINGLE_OBJECT_HEADER_OCTETS = SINGLE_OBJECT.length + FINGERPRINT_OCTETS;

/** The schema id, big-endian, of a header that begins at `start`. */
function schemaIdAt(octets: Uint8Array, start: number, idBytes: IdBytes): number {
  return idBytes === 4 ? wordAt(octets, start + 1) : wordAt(octets, start + 1) * 2 ** 32 + wordAt(octets, start + 5);
}

function wordAt(octets: Uint8Array, at: number): number {
  return ((octets[at] << 24) | (octets[at + 1] << 16) | (octets[at + 2] << 8) | octets[at + 3]) >>> 0;
}

function isSingleObject(octets: Uint8Array): boolean {
  return octets[0] === SINGLE_OBJECT[0] && octets[1] === SINGLE_OBJECT[1];
}

/** The fingerprint of a single object's header, in hexadecimal. */
function fingerprintAt(octets: Buffer): string {
  return octets.toString('hex', SINGLE_OBJECT.length, SINGLE_OBJECT_HEADER_OCTETS);
}

/** What becomes of a record whose schema is not known, or was not: only its header is looked at. */
export function rejectUnknownSchema(value: Uint8Array, idBytes: IdBytes = 4): Decoded {
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
