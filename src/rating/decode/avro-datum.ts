import { varintEnd, varintValue } from '../../formats/varint.ts';
import type { AvroPrimitive, AvroType } from './avro-schema.ts';

/**
 * Finds the offset after the datum that starts at `start`; -1 if the octets there are none. Every length and count is
 * compared with the octets that are left, so damaged octets cost no more time than good ones.
 */
export type DatumEnd = (octets: Uint8Array, start: number) => number;

/** Prepares the walk over the datums of a type. */
export function datumEnd(type: AvroType): DatumEnd {
  const walk = walker(type, new Map());
  return (octets, start) => {
    try {
      return walk(octets, start);
    } catch (error) {
      // A record that holds itself, deeper than the stack: no writer made that.
      if (error instanceof RangeError) return -1;
      throw error;
    }
  };
}

function walker(type: AvroType, known: Map<AvroType, DatumEnd>): DatumEnd {
  const walk = known.get(type);
  if (walk !== undefined) return walk;
  switch (type.kind) {
    case 'record': {
      const fields: DatumEnd[] = [];
      const end: DatumEnd = (octets, start) => sequenceEnd(fields, octets, start);
      // Known before its fields are looked at: a record may hold itself.
      known.set(type, end);
      for (const field of type.fields) fields.push(walker(field.type, known));
      return end;
    }
    case 'union':
      return unionWalker(type.branches.map((branch) => walker(branch, known)));
    case 'array':
      return blocksWalker([walker(type.items, known)]);
    case 'map':
      return blocksWalker([textEnd, walker(type.values, known)]);
    case 'fixed':
      return fixedWalker(type.size);
    default:
      return PRIMITIVES[type.kind];
  }
}

const PRIMITIVES: Readonly<Record<AvroPrimitive | 'enum', DatumEnd>> = {
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
