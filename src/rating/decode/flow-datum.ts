import { varintEnd, varintLong, varintValue } from '../../formats/varint.ts';
import type { Candidate, Decoded, Decoder } from '../flow-record.ts';
import type { Reason } from '../outcome.ts';
import { type DatumEnd, datumEnd } from './avro-datum.ts';
import { type AvroRecord, type AvroType, branchesOf } from './avro-schema.ts';
import { resolveFlowFields } from './resolve-flow-fields.ts';
import { utf8Value } from './utf8.ts';

/** Reads a value from `at` on into `value`; gives the offset after it, or -1 where the octets are none of the type. */
type ValueReader = (octets: Buffer, at: number) => number;

/** What was read last. */
let value: unknown = null;

/** In place of a value that the field cannot be: the validation rejects it, in its order. */
const OF_ANOTHER_TYPE = Object.freeze({});

type Want = 'text' | 'whole' | 'time';
const WANTED: Readonly<Record<Want, string>> = {
  text: 'text (string, enum or bytes)',
  whole: 'a whole number (int, long, or decimal with scale 0)',
  time: 'a time (long with the logical type timestamp-millis, timestamp-micros or timestamp-nanos)',
};

/**
 * Decodes the datums of one writer's schema into the fields of `reader`. A null where a value must be is left to the validation,
 * as is a number that is out of range. Throws a TypeError where no datum of the schema can be a flow record.
 */
export function flowDatumDecoder(reader: AvroRecord, writer: AvroType, name: string): Decoder {
  const branches = branchesOf(writer);
  const records = branches.filter((branch) => branch.kind === 'record');
  if (records.length === 0) throw new TypeError('it is no record');
  const isUnion = writer.kind === 'union';
  const decoders = branches.map((branch) => branchDecoder(reader, branch, name, records.length > 1));
  return (value) => {
    const octets = value as Buffer;
    const from = isUnion ? varintEnd(octets, 0) : 0;
    const decode = decoders[isUnion && from !== -1 ? varintValue(octets, 0, from) : 0];
    if (from === -1 || decode === undefined) return fault('malformed', `not a datum of ${name}`);
    return decode(octets.subarray(from));
  };
}

function branchDecoder(reader: AvroRecord, type: AvroType, name: string, isOneOfMany: boolean): Decoder {
  try {
    if (type.kind === 'record') return recordDecoder(reader, type, name);
    const refused = fault('missing_field', `${name} allows ${type.kind} in place of a record: every field is missing`);
    return () => refused;
  } catch (error) {
    if (!isOneOfMany) throw error;
    const refused = fault(
      'incompatible_schema',
      `record ${(type as AvroRecord).name} of ${name}: ${(error as Error).message}`,
    );
    return () => refused;
  }
}

function recordDecoder(reader: AvroRecord, writer: AvroRecord, name: string): Decoder {
  const names = resolveFlowFields(reader, writer);
  const readers = writer.fields.map(({ type, name: written }, at): ValueReader => {
    const field = reader.fields.find(({ name }) => name === names[at]);
    return field === undefined ? datumEnd(type) : fieldReader(wantOf(field.type), type, field.name, written);
  });
  const absent = reader.fields.map(({ name }) => name).filter((name) => !names.includes(name));
  return (value) => {
    const octets = value as Buffer;
    const candidate: Candidate = {};
    const end = readFields(octets, names, readers, candidate);
    if (end === -1) return fault('malformed', damageOf(octets, name));
    if (end !== octets.length) return fault('malformed', `${octets.length - end} octets after the datum's end`);
    for (const name of absent) candidate[name] = null;
    return { candidate };
  };
}

function readFields(
  octets: Buffer,
  names: readonly (string | null)[],
  readers: readonly ValueReader[],
  into: Candidate,
): number {
  let at = 0;
  for (let index = 0; index < readers.length; index++) {
    at = (readers[index] as ValueReader)(octets, at);
    if (at === -1) return -1;
    const name = names[index] as string | null;
    if (name !== null) into[name] = value;
  }
  return at;
}

function damageOf(octets: Buffer, name: string): string {
  if (octets[0] === 0x7b && octets.at(-1) === 0x7d)
    return `not a datum of ${name}: it looks like JSON, see valueFormat`;
  return `ends early, or is no datum of ${name}: ${octets.length} octets`;
}

function ofAnotherType(type: AvroType): ValueReader {
  const walk: DatumEnd = datumEnd(type);
  return (octets, at) => {
    value = OF_ANOTHER_TYPE;
    return walk(octets, at);
  };
}

function wantOf(type: AvroType): Want {
  const [branch] = branchesOf(type).filter(({ kind }) => kind !== 'null');
  if (branch?.kind === 'string') return 'text';
  return branch?.kind === 'long' && branch.logicalType !== null ? 'time' : 'whole';
}

function fieldReader(want: Want, type: AvroType, field: string, written: string): ValueReader {
  const branches = branchesOf(type);
  const readers = branches.map((branch) => (branch.kind === 'null' ? readNull : valueReader(want, branch)));
  const refused = branches.filter((_, at) => readers[at] === null);
  if (refused.length > 0 && readers.every((reader) => reader === null || reader === readNull)) {
    const called = written === field ? field : `${written} (${field})`;
    throw new TypeError(
      `its field ${called} is ${refused.map(described).join(' or ')}; a flow record has ${WANTED[want]}`,
    );
  }
  const whole = branches.map((branch, at) => readers[at] ?? ofAnotherType(branch));
  return type.kind === 'union' ? unionReader(whole) : (whole[0] as ValueReader);
}

function described(type: AvroType): string {
  const logical = 'logicalType' in type && type.logicalType !== null ? ` (${type.logicalType})` : '';
  const scale = 'scale' in type && type.scale !== 0 ? ` with scale ${type.scale}` : '';
  return `${type.kind}${logical}${scale}`;
}

function unionReader(readers: readonly ValueReader[]): ValueReader {
  return (octets, at) => {
    const from = varintEnd(octets, at);
    if (from === -1) return -1;
    return readers[varintValue(octets, at, from)]?.(octets, from) ?? -1;
  };
}

const readNull: ValueReader = (_octets, at) => {
  value = null;
  return at;
};

/** Null where no value of the type is what is wanted. */
function valueReader(want: Want, type: AvroType): ValueReader | null {
  if (want === 'text') return textReader(type);
  return want === 'time' ? timeReader(type) : wholeReader(type);
}

function textReader(type: AvroType): ValueReader | null {
  switch (type.kind) {
    case 'string':
      return readText;
    case 'bytes':
      return type.logicalType === null ? readText : null;
    case 'enum':
      return symbolReader(type.symbols);
    case 'fixed':
      return type.logicalType === 'uuid' && type.size === 16 ? readUuid : null;
    default:
      return null;
  }
}

const textEnd = datumEnd({ kind: 'string', logicalType: null, scale: 0 });

const readText: ValueReader = (octets, at) => {
  const end = textEnd(octets, at);
  if (end !== -1) value = utf8Value(octets, varintEnd(octets, at), end) ?? OF_ANOTHER_TYPE;
  return end;
};

function symbolReader(symbols: readonly string[]): ValueReader {
  return (octets, at) => {
    const end = varintEnd(octets, at);
    const symbol = end === -1 ? undefined : symbols[varintValue(octets, at, end)];
    value = symbol;
    return symbol === undefined ? -1 : end;
  };
}

const readUuid: ValueReader = (octets, at) => {
  if (at + 16 > octets.length) return -1;
  value = octets.toString('hex', at, at + 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  return at + 16;
};

function wholeReader(type: AvroType): ValueReader | null {
  if (type.kind === 'int' || type.kind === 'long') return readLong;
  if (type.kind !== 'bytes' && type.kind !== 'fixed') return null;
  return type.logicalType === 'decimal' && type.scale === 0 ? decimalReader(type) : null;
}

const readLong: ValueReader = (octets, at) => {
  const end = varintEnd(octets, at);
  if (end !== -1) value = varintValue(octets, at, end);
  return end;
};

/** Two's complement, big-endian; the nearest double where it is beyond 2^53, which no field can be. */
function decimalReader(type: AvroType): ValueReader {
  const walk = datumEnd(type);
  return (octets, at) => {
    const end = walk(octets, at);
    if (end === -1) return -1;
    const digits = octets.subarray(type.kind === 'fixed' ? at : varintEnd(octets, at), end);
    const unsigned = BigInt(`0x${digits.toString('hex') || '0'}`);
    value = Number(BigInt.asIntN(8 * digits.length, unsigned));
    return end;
  };
}

/** How many of a logical type's units are a millisecond. A time of day, a day, or one without a time zone is no instant. */
const UNITS_PER_MS: Readonly<Record<string, bigint>> = {
  'timestamp-millis': 1n,
  'timestamp-micros': 1000n,
  'timestamp-nanos': 1_000_000n,
};

function timeReader(type: AvroType): ValueReader | null {
  if (type.kind !== 'long') return null;
  const units = UNITS_PER_MS[type.logicalType ?? 'timestamp-millis'];
  if (units === undefined) return null;
  return units === 1n ? readLong : instantReader(units);
}

/** The millisecond that holds the instant. */
function instantReader(units: bigint): ValueReader {
  return (octets, at) => {
    const end = varintEnd(octets, at);
    if (end === -1) return -1;
    const long = varintLong(octets, at, end);
    value = Number(long / units) - (long < 0n && long % units !== 0n ? 1 : 0);
    return end;
  };
}

function fault(reason: Reason, detail: string): Decoded {
  return { fault: { reason, detail } };
}
