import { type AvroType, branchesOf, parseAvroSchema } from './avro-schema.ts';

/**
 * A schema's Parsing Canonical Form (Avro 1.12, "Parsing Canonical Form for Schemas"): the same for all schemas whose datums are
 * laid out the same.
 */
export function canonicalForm(type: AvroType, named = new Set<string>()): string {
  switch (type.kind) {
    case 'union':
      return `[${type.branches.map((branch) => canonicalForm(branch, named)).join(',')}]`;
    case 'array':
      return `{"type":"array","items":${canonicalForm(type.items, named)}}`;
    case 'map':
      return `{"type":"map","values":${canonicalForm(type.values, named)}}`;
    case 'record':
    case 'enum':
    case 'fixed':
      return namedForm(type, named);
    default:
      return JSON.stringify(type.kind);
  }
}

function namedForm(type: AvroType & { name: string }, named: Set<string>): string {
  const name = JSON.stringify(type.name);
  if (named.has(type.name)) return name;
  named.add(type.name);
  if (type.kind === 'enum') return `{"name":${name},"type":"enum","symbols":${JSON.stringify(type.symbols)}}`;
  if (type.kind === 'fixed') return `{"name":${name},"type":"fixed","size":${type.size}}`;
  if (type.kind !== 'record') throw new TypeError('only records, enums and fixed types have names');
  const fields = type.fields.map(
    (field) => `{"name":${JSON.stringify(field.name)},"type":${canonicalForm(field.type, named)}}`,
  );
  return `{"name":${name},"type":"record","fields":[${fields.join(',')}]}`;
}

const EMPTY = 0xc15d213aa4d7a795n;
let table: BigUint64Array | null = null;

function fingerprintTable(): BigUint64Array {
  if (table !== null) return table;
  table = new BigUint64Array(256);
  for (let octet = 0; octet < 256; octet++) {
    let fingerprint = BigInt(octet);
    for (let bit = 0; bit < 8; bit++) {
      fingerprint = (fingerprint >> 1n) ^ ((fingerprint & 1n) === 1n ? EMPTY : 0n);
    }
    table[octet] = fingerprint;
  }
  return table;
}

/** CRC-64-AVRO of the canonical form, in hexadecimal, in the order that single-object encoding has its octets in. */
export function rabinFingerprint(type: AvroType): string {
  const steps = fingerprintTable();
  let fingerprint = EMPTY;
  for (const octet of new TextEncoder().encode(canonicalForm(type))) {
    fingerprint = (fingerprint >> 8n) ^ (steps[Number((fingerprint ^ BigInt(octet)) & 0xffn)] as bigint);
  }
  const octets = Buffer.alloc(8);
  octets.writeBigUInt64LE(fingerprint);
  return octets.toString('hex');
}

/**
 * Whether two schemas, as JSON text, say the same of how their datums are read as flow records: their layout, what fields were
 * called before, and what units times are in. Earlier versions kept schemas without logical types: those of other fields do not
 * count.
 */
export function haveSameMeaning(schema: string, other: string): boolean {
  if (schema === other) return true;
  try {
    return meaningOf(parseAvroSchema(JSON.parse(schema))) === meaningOf(parseAvroSchema(JSON.parse(other)));
  } catch {
    return false;
  }
}

function meaningOf(type: AvroType): string {
  const renamed: string[] = [];
  const units: string[] = [];
  for (const branch of branchesOf(type)) {
    if (branch.kind !== 'record') continue;
    for (const { name, aliases, type } of branch.fields) {
      if (aliases.length > 0) renamed.push(`${name} was ${aliases}`);
      const isTime = [name, ...aliases].some((each) => /^(start|end)_?time$/i.test(each));
      if (isTime) units.push(...branchesOf(type).map((value) => unitOf(value)));
    }
  }
  return [canonicalForm(type), ...renamed, ...units].join('\n');
}

function unitOf(type: AvroType): string {
  return 'logicalType' in type && type.logicalType !== null ? type.logicalType : 'timestamp-millis';
}
