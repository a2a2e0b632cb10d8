import avro, { type Type } from 'avsc';

/**
 * Finds the offset after the datum that starts at `start`; -1 if the octets there are none. Every length and count is
 * held against the octets that are left, so damaged octets cost no more time than good ones.
 */
export type DatumEnd = (octets: Uint8Array, start: number) => number;

const MAX_VARINT_OCTETS = 10;

/** The offset after the zigzag varint at `start` (Avro's int and long); -1 if it is cut off or longer than 10 octets. */
export function varintEnd(octets: Uint8Array, start: number): number {
  const limit = Math.min(octets.length, start + MAX_VARINT_OCTETS);
  for (let at = start; at < limit; at += 1) {
    if ((octets[at] as number) < 0x80) return at + 1;
  }
  return -1;
}

/** The value of the varint in [start, end): exact up to 2^53, the nearest double beyond. */
export function varintValue(octets: Uint8Array, start: number, end: number): number {
  let zigzag = 0n;
  if (end - start <= 4) {
    let small = 0;
    for (let at = end - 1; at >= start; at -= 1) small = (small << 7) | ((octets[at] as number) & 0x7f);
    return (small >>> 1) ^ -(small & 1);
  }
  for (let at = end - 1; at >= start; at -= 1) zigzag = (zigzag << 7n) | BigInt((octets[at] as number) & 0x7f);
  return Number(BigInt.asIntN(64, (zigzag >> 1n) ^ -(zigzag & 1n)));
}

/** Prepares the walk over the datums of a type. */
export function datumEnd(type: Type): DatumEnd {
  const walk = walker(type, new Map());
  return (octets, start) => {
    try {
      return walk(octets, start);
    } catch (error) {
      // A record that holds itself, deeper than the stack: nobody wrote that.
      if (error instanceof RangeError) return -1;
      throw error;
    }
  };
}

/** Whether a datum of the type may hold arrays or maps. */
export function holdsRepeats(type: Type, seen = new Set<Type>()): boolean {
  if (seen.has(type)) return false;
  seen.add(type);
  const { types } = avro;
  if (type instanceof types.ArrayType || type instanceof types.MapType) return true;
  if (type instanceof types.RecordType) return type.fields.some((field) => holdsRepeats(field.type, seen));
  return isUnion(type) && type.types.some((branch) => holdsRepeats(branch, seen));
}

function walker(type: Type, known: Map<Type, DatumEnd>): DatumEnd {
  const walk = known.get(type);
  if (walk !== undefined) return walk;
  const { types } = avro;
  if (type instanceof types.RecordType) {
    const fields: DatumEnd[] = [];
    const end: DatumEnd = (octets, start) => sequenceEnd(fields, octets, start);
    // Known before its fields are looked at: a record may hold itself.
    known.set(type, end);
    for (const field of type.fields) fields.push(walker(field.type, known));
    return end;
  }
  if (isUnion(type)) return unionWalker(type.types.map((branch) => walker(branch, known)));
  if (type instanceof types.ArrayType) return blocksWalker([walker(type.itemsType, known)]);
  if (type instanceof types.MapType) return blocksWalker([textEnd, walker(type.valuesType, known)]);
  if (type instanceof types.FixedType) return fixedWalker(type.size);
  const primitive = PRIMITIVES[type.typeName];
  if (primitive === undefined) throw new TypeError(`no walk over an Avro ${type.typeName}`);
  return primitive;
}

const PRIMITIVES: Readonly<Record<string, DatumEnd>> = {
  null: (_octets, start) => start,
  boolean: fixedWalker(1),
  int: varintEnd,
  long: varintEnd,
  enum: varintEnd,
  float: fixedWalker(4),
  double: fixedWalker(8),
  bytes: textEnd,
  string: textEnd,
};

function isUnion(type: Type): type is Type & { types: Type[] } {
  return type.typeName.startsWith('union:');
}

function sequenceEnd(parts: readonly DatumEnd[], octets: Uint8Array, start: number): number {
  let at = start;
  for (const part of parts) {
    at = part(octets, at);
    if (at === -1) return -1;
  }
  return at;
}

function fixedWalker(size: number): DatumEnd {
  return (octets, start) => (start + size <= octets.length ? start + size : -1);
}

function textEnd(octets: Uint8Array, start: number): number {
  const from = varintEnd(octets, start);
  if (from === -1) return -1;
  const length = varintValue(octets, start, from);
  return length >= 0 && length <= octets.length - from ? from + length : -1;
}

function unionWalker(branches: readonly DatumEnd[]): DatumEnd {
  return (octets, start) => {
    const from = varintEnd(octets, start);
    if (from === -1) return -1;
    return branches[varintValue(octets, start, from)]?.(octets, from) ?? -1;
  };
}

/** Arrays and maps: blocks of a count and its items, until a count of 0. A negative count has its size after it. */
function blocksWalker(item: readonly DatumEnd[]): DatumEnd {
  return (octets, start) => {
    let at = start;
    for (;;) {
      const from = varintEnd(octets, at);
      if (from === -1) return -1;
      const count = varintValue(octets, at, from);
      if (count === 0) return from;
      at = count < 0 ? varintEnd(octets, from) : from;
      // Items of no octets at all (an array of nulls) carry nothing worth a loop of 2^63.
      if (at === -1 || Math.abs(count) > octets.length - at) return -1;
      for (let left = Math.abs(count); left > 0; left -= 1) {
        at = sequenceEnd(item, octets, at);
        if (at === -1) return -1;
      }
    }
  };
}
