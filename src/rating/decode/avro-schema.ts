/** What a datum is laid out as. Names are full ones, with their namespace. */
export type AvroType =
  | { kind: AvroPrimitive; logicalType: string | null; scale: number }
  | { kind: 'fixed'; name: string; size: number; logicalType: string | null; scale: number }
  | { kind: 'enum'; name: string; symbols: readonly string[] }
  | { kind: 'array'; items: AvroType }
  | { kind: 'map'; values: AvroType }
  | { kind: 'union'; branches: readonly AvroType[] }
  | AvroRecord;

export interface AvroRecord {
  kind: 'record';
  name: string;
  fields: readonly AvroField[];
}

export interface AvroField {
  name: string;
  aliases: readonly string[];
  type: AvroType;
  hasDefault: boolean;
}

const PRIMITIVES = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'] as const;
export type AvroPrimitive = (typeof PRIMITIVES)[number];

/** Kafka Connect and Debezium say in a name of their own what a long is. */
const CONNECT_TIMES: Readonly<Record<string, string>> = {
  'org.apache.kafka.connect.data.Timestamp': 'timestamp-millis',
  'io.debezium.time.Timestamp': 'timestamp-millis',
  'io.debezium.time.MicroTimestamp': 'timestamp-micros',
  'io.debezium.time.NanoTimestamp': 'timestamp-nanos',
};

/** The type in place of a schema of another kind that a registry has: no type has such a name. */
const NOT_AVRO = 'not an Avro schema';

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads an Avro schema (JSON, Avro 1.12) as what a reader of its datums has to know. It takes whatever a writer of Java, Spark,
 * ksqlDB or Connect may write: names of any letters, the same name twice, defaults of any branch, which a reader of a writer's
 * schema never needs. `known` holds types that the schema refers to. Throws a TypeError that says what is no schema.
 */
export function parseAvroSchema(schema: unknown, known: Map<string, AvroType> = new Map()): AvroType {
  return new Parser(known).type(schema, '');
}

class Parser {
  readonly #known: Map<string, AvroType>;

  constructor(known: Map<string, AvroType>) {
    this.#known = known;
  }

  type(schema: unknown, namespace: string): AvroType {
    if (typeof schema === 'string') return this.#named(schema, namespace);
    if (Array.isArray(schema)) return { kind: 'union', branches: schema.map((branch) => this.type(branch, namespace)) };
    if (typeof schema !== 'object' || schema === null) throw new TypeError('it is no Avro schema');
    return this.#complex(schema as Json, namespace);
  }

  #named(name: string, namespace: string): AvroType {
    if (isPrimitive(name)) return { kind: name, logicalType: null, scale: 0 };
    const known = this.#known.get(fullName(name, namespace)) ?? this.#known.get(name);
    if (name === NOT_AVRO) throw new TypeError(`it is ${NOT_AVRO}; for JSON records set valueFormat: json`);
    if (known === undefined) throw new TypeError(`it has no type of the name ${JSON.stringify(name)}`);
    return known;
  }

  #complex(schema: Json, namespace: string): AvroType {
    const { type } = schema;
    switch (type) {
      case 'record':
      case 'error':
        return this.#record(schema, namespace);
      case 'enum':
        return this.#keep(schema, namespace, (name) => ({
          kind: type,
          name,
          symbols: listOf(schema.symbols, 'symbols'),
        }));
      case 'fixed':
        return this.#keep(schema, namespace, (name) => ({
          kind: type,
          name,
          size: sizeOf(schema),
          ...logicOf(schema),
        }));
      case 'array':
        return { kind: type, items: this.type(schema.items, namespace) };
      case 'map':
        return { kind: type, values: this.type(schema.values, namespace) };
      default:
        if (typeof type === 'string' && isPrimitive(type)) return { kind: type, ...logicOf(schema) };
        return this.type(type, namespace);
    }
  }

  #record(schema: Json, namespace: string): AvroType {
    const fields: AvroField[] = [];
    const inner = this.#keep(schema, namespace, (name) => ({ kind: 'record', name, fields }));
    const { name } = inner as AvroRecord;
    const within = name.slice(0, Math.max(0, name.lastIndexOf('.')));
    for (const field of listOf<Json>(schema.fields, 'fields')) {
      if (typeof field?.name !== 'string') throw new TypeError('a field of it has no name');
      const aliases = Array.isArray(field.aliases) ? field.aliases.map(String) : [];
      const hasDefault = Object.hasOwn(field, 'default');
      fields.push({ name: field.name, aliases, hasDefault, type: this.#ofField(field.name, field.type, within) });
    }
    return inner;
  }

  #ofField(name: string, type: unknown, namespace: string): AvroType {
    try {
      return this.type(type, namespace);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new TypeError(`the type of its field ${name} cannot be read: ${error.message}`);
    }
  }

  /** The latest type of a name is the one that is meant from there on; and a record may hold itself. */
  #keep<T extends AvroType>(schema: Json, namespace: string, make: (name: string) => T): T {
    const own = typeof schema.namespace === 'string' ? schema.namespace : namespace;
    const name = fullName(String(schema.name ?? ''), own);
    const type = make(name);
    this.#known.set(name, type);
    return type;
  }
}

function isPrimitive(name: string): name is AvroPrimitive {
  return (PRIMITIVES as readonly string[]).includes(name);
}

function fullName(name: string, namespace: string): string {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
}

function listOf<T = string>(value: unknown, name: string): readonly T[] {
  if (!Array.isArray(value)) throw new TypeError(`it has no list of ${name}`);
  return value;
}

function sizeOf({ size }: Json): number {
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw new TypeError('a fixed type has no size');
  return size;
}

function logicOf(schema: Json): { logicalType: string | null; scale: number } {
  const connectTime = CONNECT_TIMES[String(schema['connect.name'])];
  const logicalType = typeof schema.logicalType === 'string' ? schema.logicalType : (connectTime ?? null);
  return { logicalType, scale: typeof schema.scale === 'number' ? schema.scale : 0 };
}

/** Whether a type is a union of more than one branch, or of one. */
export function branchesOf(type: AvroType): readonly AvroType[] {
  return type.kind === 'union' ? type.branches : [type];
}
