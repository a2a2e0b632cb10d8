/** Bytes of a value of fixed width, by type name. */
const WIDTHS: Readonly<Record<string, number>> = {
  Bool: 1,
  Int8: 1,
  UInt8: 1,
  Enum8: 1,
  Nothing: 1,
  Int16: 2,
  UInt16: 2,
  Enum16: 2,
  Date: 2,
  BFloat16: 2,
  Int32: 4,
  UInt32: 4,
  Float32: 4,
  Date32: 4,
  DateTime: 4,
  Time: 4,
  IPv4: 4,
  Decimal32: 4,
  Int64: 8,
  UInt64: 8,
  Float64: 8,
  DateTime64: 8,
  Time64: 8,
  Decimal64: 8,
  Int128: 16,
  UInt128: 16,
  UUID: 16,
  IPv6: 16,
  Decimal128: 16,
  Int256: 32,
  UInt256: 32,
  Decimal256: 32,
};
/** Bytes of a Decimal, by the digits that it can have. */
const DECIMAL_WIDTHS = [
  [9, 4],
  [18, 8],
  [38, 16],
  [76, 32],
] as const;

/** The layout of a column's values in ClickHouse's Native format. Null for an unsupported type. */
export type NativeType =
  | { kind: 'fixed'; width: number }
  | { kind: 'string' }
  | { kind: 'nullable' | 'lowCardinality' | 'array'; inner: NativeType }
  | { kind: 'tuple'; elements: NativeType[] };

/** Reads a type's name, such as `Map(LowCardinality(String), Array(Nullable(Int64)))`. */
export function nativeType(name: string): NativeType | null {
  const [, base, inside] = /^(\w+)(?:\((.*)\))?$/s.exec(name.trim()) ?? [];
  if (base === undefined) return null;
  const inner = (text: string) => nativeType(text);
  const parts = inside === undefined ? [] : argumentsOf(inside);
  switch (base) {
    case 'String':
      return { kind: 'string' };
    case 'FixedString':
      return { kind: 'fixed', width: Number(parts[0]) };
    case 'Decimal':
      return fixed(DECIMAL_WIDTHS.find(([digits]) => Number(parts[0]) <= digits)?.[1]);
    case 'Nullable':
      return wrap('nullable', inner(parts[0]));
    case 'LowCardinality':
      return wrap('lowCardinality', inner(parts[0]));
    case 'Array':
      return wrap('array', inner(parts[0]));
    case 'Map':
      return wrap('array', tuple(parts.map(inner)));
    case 'Nested':
      return wrap('array', tuple(parts.map((part) => inner(withoutName(part)))));
    case 'Tuple':
      return tuple(parts.map((part) => inner(withoutName(part))));
    case 'SimpleAggregateFunction':
      return inner(parts[1]);
    default:
      return fixed(base.startsWith('Interval') ? 8 : WIDTHS[base]);
  }
}

function fixed(width: number | undefined): NativeType | null {
  return width === undefined ? null : { kind: 'fixed', width };
}

function wrap(kind: 'nullable' | 'lowCardinality' | 'array', inner: NativeType | null): NativeType | null {
  return inner === null ? null : { kind, inner };
}

function tuple(elements: readonly (NativeType | null)[]): NativeType | null {
  return elements.every((element) => element !== null) ? { kind: 'tuple', elements: [...elements] } : null;
}

/** A tuple's element may have a name before its type: `node UInt32`. */
function withoutName(text: string): string {
  return /^(?:\w+|`(?:[^`\\]|\\.)*`)\s+(.+)$/s.exec(text)?.[1] ?? text;
}

/** Returns the arguments between commas that are in no parentheses and no quotes. */
function argumentsOf(text: string): string[] {
  const parts: string[] = [''];
  let depth = 0;
  for (const [token] of text.matchAll(/'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|[^'`]/gs)) {
    if (token === '(') depth++;
    if (token === ')') depth--;
    if (token === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += token;
  }
  return parts.map((part) => part.trim());
}
