import type { AvroField, AvroRecord } from './avro-schema.ts';

/**
 * The flow record's field that each field of a writer's record is read as; null for one that is none. Names are compared as they
 * are, then by aliases (of the reader, or of a writer that says what it has renamed), then by their letters alone, as ksqlDB
 * writes `NODEID` and others `node_id`. Throws a TypeError that names what is missing, ambiguous or misspelt.
 */
export function resolveFlowFields(reader: AvroRecord, writer: AvroRecord): (string | null)[] {
  const open = new Map(reader.fields.map((field) => [field.name, field]));
  const found: (string | null)[] = writer.fields.map(() => null);
  const take = (wanted: (field: AvroField, written: AvroField) => boolean) => {
    writer.fields.forEach((written, at) => {
      if (found[at] !== null) return;
      const field = [...open.values()].find((each) => wanted(each, written));
      if (field === undefined) return;
      found[at] = field.name;
      open.delete(field.name);
    });
  };
  take((field, written) => field.name === written.name);
  take((field, written) => field.aliases.includes(written.name));
  take((field, written) => written.aliases.includes(field.name));
  const unread = writer.fields.filter((_, at) => found[at] === null);
  for (const { name } of open.values()) {
    const alike = unread.filter((written) => isAlike(written.name, name));
    if (alike.length > 1)
      throw new TypeError(`${listed(alike)} can each be its field ${name}: name one of them ${name}`);
  }
  take((field, written) => isAlike(field.name, written.name));
  const missing = [...open.values()].filter(({ hasDefault }) => !hasDefault);
  if (missing.length > 0) throw new TypeError(missingFields(missing, writer));
  // The field would be taken for absent, and its records booked without it.
  for (const { name } of open.values()) {
    const misspelt = writer.fields.find((written, at) => found[at] === null && isOneSlip(written.name, name));
    if (misspelt === undefined) continue;
    throw new TypeError(
      `its field ${misspelt.name} is none of a flow record; did you mean ${name}? Rename it, or give it that alias`,
    );
  }
  return found;
}

function isAlike(name: string, other: string): boolean {
  return lettersOf(name) === lettersOf(other);
}

function lettersOf(name: string): string {
  return name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '');
}

/** One letter inserted, dropped, replaced, or swapped with its neighbour. */
function isOneSlip(name: string, other: string): boolean {
  const [from, to] = [lettersOf(name), lettersOf(other)];
  let start = 0;
  while (start < from.length && from[start] === to[start]) start++;
  const isSwapped = from[start] === to[start + 1] && from[start + 1] === to[start];
  return (
    from.slice(start + 1) === to.slice(start + 1) ||
    from.slice(start + 1) === to.slice(start) ||
    from.slice(start) === to.slice(start + 1) ||
    (isSwapped && from.slice(start + 2) === to.slice(start + 2))
  );
}

const listed = (fields: readonly AvroField[]) => fields.map(({ name }) => name).join(', ');

function missingFields(missing: readonly AvroField[], { name, fields }: AvroRecord): string {
  const names = new Set(fields.map(({ name }) => name));
  const what = `record ${name} has no ${missing.length === 1 ? 'field' : 'fields'} ${listed(missing)}`;
  if (names.has('before') && names.has('after')) {
    return `${what}: it is a change event of Debezium; unwrap it with the transformation ExtractNewRecordState`;
  }
  if (names.has('payload')) return `${what}: it is an envelope; write its payload alone`;
  return `${what}; add ${missing.length === 1 ? 'it' : 'them'}, or give the right field an alias of that name`;
}
