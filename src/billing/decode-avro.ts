import avro, { type Type } from 'avsc';
import { datumEnd, holdsRepeats, varintEnd, varintValue } from './avro-datum.ts';
import { CONFLUENT_HEADER_OCTETS, rejectUnknownSchema, schemaIdAt } from './confluent-header.ts';
import type { Candidate, Decoded, Decoder } from './decoder.ts';
import type { FlowFields } from './flow-fields.ts';
import type { Reason } from './outcome.ts';
import { type FlowLayout, flowLayoutOf, readAvroFlow } from './read-avro-flow.ts';
import { withReaderNames } from './renamed-fields.ts';

/** An Avro schema as JSON.parse gives it. */
export type AvroSchema = avro.Schema;

export interface AvroDecoderOptions {
  /** What the engine wants to read: the flow record's own schema. */
  readerSchema: AvroSchema;
  /** Writers' schemas by the id that a Confluent header names. */
  schemas: ReadonlyMap<number, AvroSchema>;
  /** The writers' schema of records without a header; the reader's own if nobody says. */
  bareSchema?: AvroSchema;
  /** `auto` takes a first octet of 0 for a Confluent header: a bare record starts with nodeId's length, never 0. */
  header: 'auto' | 'confluent' | 'bare';
}

/** Decodes records of schemas known from the start, and of those that it is taught. */
export interface AvroDecoder extends Decoder {
  /** The id in the header of the record in [start, end) if no schema of that id is known; otherwise NO_ID. */
  unknownIdOf(octets: Uint8Array, start: number, end: number): number;
  /** From now on this id stands for this schema. One that is no flow record's makes its records `incompatible_schema`. */
  learn(id: number, schema: AvroSchema): void;
}

export const NO_ID = -1;

/**
 * Decodes one Avro datum, with an optional Confluent header (octet 0, schema id as u32 big-endian). The writer's schema is
 * resolved to the reader's: fields may be added with a default, removed, reordered, renamed by alias (of the reader, or of
 * the writer that renamed it) or promoted; names
 * are compared without their namespace, as Avro says. A long beyond 2^53 becomes the nearest double, for the validation
 * to refuse. Throws, when it is made, on a schema that cannot be resolved.
 */
export function avroDecoder(options: AvroDecoderOptions): AvroDecoder {
  const { readerSchema, header } = options;
  const named = (schema: AvroSchema) => withReaderNames(schema, readerSchema);
  const bareSchema = named(options.bareSchema ?? readerSchema);
  const schemas = new Map([...options.schemas].map(([id, schema]) => [id, named(schema)]));
  const resolve = (schema: AvroSchema, name: string): Decoder => datumDecoder(readerSchema, schema, name);
  const bare = resolve(bareSchema, 'the schema of records without a header');
  const byId = new Map([...schemas].map(([id, schema]) => [id, resolve(schema, nameOf(id))]));
  const decode: Decoder = (value) => {
    const octets = Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const headed = header === 'confluent' || (header === 'auto' && octets[0] === 0);
    if (!headed) return bare(octets);
    const isWhole = octets[0] === 0 && octets.length >= CONFLUENT_HEADER_OCTETS;
    const decode = isWhole ? byId.get(schemaIdAt(octets, 0)) : undefined;
    return decode === undefined ? rejectUnknownSchema(octets) : decode(octets.subarray(CONFLUENT_HEADER_OCTETS));
  };
  const plain = plainSchemas(readerSchema, schemas);
  let knownId = NO_ID; // the last one seen
  return Object.assign(decode, {
    readFlow: flowReader(bareSchema, header, plain),
    unknownIdOf(octets: Uint8Array, start: number, end: number): number {
      if (octets[start] !== 0 || end - start < CONFLUENT_HEADER_OCTETS || header === 'bare') return NO_ID;
      const id = schemaIdAt(octets, start);
      if (id !== knownId && !byId.has(id)) return id;
      knownId = id;
      return NO_ID;
    },
    learn(id: number, schema: AvroSchema): void {
      const { decode, isReadable } = tried(() => resolve(named(schema), nameOf(id)));
      byId.set(id, decode);
      const layout = isReadable ? plain.layoutOf(named(schema)) : null;
      if (layout !== null) plain.byId.set(id, layout);
    },
  });
}

function nameOf(id: number): string {
  return `schema ${id}`;
}

/** The decoder, or one that rejects every record with the reason that there is none. */
function tried(resolve: () => Decoder): { decode: Decoder; isReadable: boolean } {
  try {
    return { decode: resolve(), isReadable: true };
  } catch (error) {
    const rejected = fault('incompatible_schema', (error as Error).message);
    return { decode: () => rejected, isReadable: false };
  }
}

/** Schemas whose datums are laid out as the flow record's own schema has it, or had it: which, by their id. */
interface PlainSchemas {
  layoutOf(schema: AvroSchema): FlowLayout | null;
  byId: Map<number, FlowLayout>;
}

function plainSchemas(readerSchema: AvroSchema, schemas: ReadonlyMap<number, AvroSchema>): PlainSchemas {
  const isReaderPlain = flowLayoutOf(avro.Type.forSchema(readerSchema)) === 'with identities';
  const layoutOf = (schema: AvroSchema) => (isReaderPlain ? flowLayoutOf(avro.Type.forSchema(schema)) : null);
  const byId = new Map<number, FlowLayout>();
  for (const [id, schema] of schemas) {
    const layout = layoutOf(schema);
    if (layout !== null) byId.set(id, layout);
  }
  return { layoutOf, byId };
}

/** Reads datums of plain schemas, whichever schema id names them. */
function flowReader(bareSchema: AvroSchema, header: AvroDecoderOptions['header'], plain: PlainSchemas) {
  const bareLayout = plain.layoutOf(bareSchema);
  // The last ones seen: a topic's records nearly all have the same.
  let plainId = NO_ID;
  let plainLayout: FlowLayout = 'with identities';
  return (octets: Uint8Array, start: number, end: number, fields: FlowFields): boolean => {
    const first = start < end ? octets[start] : -1;
    const headed = header === 'confluent' || (header === 'auto' && first === 0);
    if (!headed) return bareLayout !== null && readAvroFlow(octets, start, end, fields, bareLayout);
    const datum = start + CONFLUENT_HEADER_OCTETS;
    if (first !== 0 || datum > end) return false;
    const id = schemaIdAt(octets, start);
    if (id !== plainId) {
      const layout = plain.byId.get(id);
      if (layout === undefined) return false;
      plainId = id;
      plainLayout = layout;
    }
    return readAvroFlow(octets, datum, end, fields, plainLayout);
  };
}

/** Decodes what one writer's schema wrote. */
function datumDecoder(readerSchema: AvroSchema, writerSchema: AvroSchema, name: string): Decoder {
  const exact = datumReader(readerSchema, writerSchema, name);
  const lenient = datumReader(readerSchema, writerSchema, name, nearestDouble);
  const longs = longFields(readerSchema);
  // After the readers: they name the schema if it is none.
  const writer = avro.Type.forSchema(writerSchema);
  // avsc believes an array's count: a damaged one would keep it busy for years. Flow records rarely hold any.
  const walk = holdsRepeats(writer) ? datumEnd(writer) : null;
  return (value) => {
    const octets = value as Buffer;
    if (walk?.(octets, 0) === -1) return fault('malformed', `not a datum of ${name}`);
    const decoded = exact(octets);
    // Null stands for an unsafe long or for damage: the second reading, which is slow and takes any long, knows which.
    const settled = decoded !== null && !(decoded.candidate && holdsDoubtfulLong(decoded.candidate, longs));
    return settled ? decoded : (lenient(octets) ?? fault('malformed', `not a datum of ${name}`));
  };
}

/** Reads a datum to its end; null where avsc throws: at a long it cannot hold, or at damage. */
function datumReader(readerSchema: AvroSchema, writerSchema: AvroSchema, name: string, long?: Type) {
  const typed = (schema: AvroSchema): Type =>
    avro.Type.forSchema(schema, {
      omitRecordMethods: true,
      ...(long && { typeHook: (inner) => (isLong(inner) ? long : undefined) }),
    });
  const reader = typed(readerSchema);
  let resolver: ReturnType<Type['createResolver']> | undefined;
  try {
    const writer = typed(writerSchema);
    // The very same layout needs no resolver.
    if (!reader.equals(writer)) resolver = reader.createResolver(writer, { ignoreNamespaces: true });
  } catch (cause) {
    throw new TypeError(`${name} cannot be read as a flow record: ${(cause as Error).message}`, { cause });
  }
  return (octets: Buffer): Decoded | null => {
    let read: { value: Candidate; offset: number };
    try {
      read = reader.decode(octets, 0, resolver);
    } catch {
      // What avsc throws is dropped: its messages may quote the payload.
      return null;
    }
    const { value, offset } = read;
    if (offset === -1) return fault('malformed', `ends early: ${octets.length} octets are no whole datum of ${name}`);
    if (offset !== octets.length) return fault('malformed', `${octets.length - offset} octets after the datum's end`);
    return { candidate: value };
  };
}

/**
 * avsc adds up the zigzag form in a double, where an odd number beyond 2^53 is rounded to an even one: every long below
 * -2^52 comes out positive, as 2^52 or above, without a word.
 */
function holdsDoubtfulLong(candidate: Candidate, longs: readonly string[]): boolean {
  for (const field of longs) {
    const value = candidate[field];
    if (typeof value === 'number' && value >= 2 ** 52) return true;
  }
  return false;
}

function longFields(schema: AvroSchema): readonly string[] {
  const type = avro.Type.forSchema(schema);
  if (!(type instanceof avro.types.RecordType)) return [];
  return type.fields.filter(({ type }) => JSON.stringify(type).includes('"long"')).map(({ name }) => name);
}

function isLong(schema: AvroSchema): boolean {
  return schema === 'long' || (typeof schema === 'object' && 'type' in schema && schema.type === 'long');
}

const plainLong = avro.Type.forSchema('long');

/** A long type that gives the nearest double where avsc's own throws. */
const nearestDouble = avro.types.LongType.__with(
  {
    fromBuffer: (octets: Buffer) => {
      if (varintEnd(octets, 0) !== octets.length) throw new RangeError('not a long');
      return varintValue(octets, 0, octets.length);
    },
    // The rest serves the defaults of a schema's fields, which avsc writes once when it makes the type.
    toBuffer: (value: number) => plainLong.toBuffer(value),
    fromJSON: (value: number) => value,
    toJSON: (value: number) => value,
    isValid: (value: unknown) => plainLong.isValid(value),
    compare: (left: number, right: number) => left - right,
  },
  // avsc's own unpacking drops what is beyond 64 bits without a word.
  true,
);

function fault(reason: Reason, detail: string): Decoded {
  return { fault: { reason, detail } };
}
