import avro, { type Schema } from 'avsc';

/**
 * A writer's schema with the reader's name for each field that the writer has renamed: one whose aliases say what it was
 * called before. Avro itself asks aliases of the reader only, which cannot know what producers will call a field; a datum
 * holds no names, so this changes nothing of how it is read. A schema that is no record's, or none at all, stays as it is.
 */
export function withReaderNames(writer: Schema, reader: Schema): Schema {
  if (!isRecord(writer)) return writer;
  const wanted = new Set(fieldNames(reader));
  const taken = new Set(writer.fields.map(({ name }) => name));
  const fields = writer.fields.map((field) => {
    const { name, aliases } = field as { name: string; aliases?: unknown };
    if (wanted.has(name) || !Array.isArray(aliases)) return field;
    const before = aliases.find((alias) => wanted.has(alias) && !taken.has(alias));
    if (before === undefined) return field;
    taken.add(before);
    const { aliases: _, ...rest } = field as object & { aliases?: unknown };
    return { ...rest, name: before };
  });
  return { ...writer, fields } as Schema;
}

function isRecord(schema: Schema): schema is avro.schema.RecordType {
  return typeof schema === 'object' && 'type' in schema && schema.type === 'record' && Array.isArray(schema.fields);
}

function fieldNames(schema: Schema): string[] {
  const type = avro.Type.forSchema(schema);
  return type instanceof avro.types.RecordType ? type.fields.map(({ name }) => name) : [];
}
