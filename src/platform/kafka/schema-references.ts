type Json = Readonly<Record<string, unknown>>;

/**
 * A schema with the definitions that it refers to by name in the place where each is named first (Avro 1.12: a name is defined
 * before it is used). `definitions`: by full name.
 */
export function withDefinitions(schema: unknown, definitions: ReadonlyMap<string, unknown>): unknown {
  return inlined(schema, '', new Map(definitions));
}

/** The full name of the record, enum or fixed type that a schema is; null of any other. */
export function fullNameOf(schema: unknown): string | null {
  if (typeof schema !== 'object' || schema === null || !('name' in schema)) return null;
  const { name, namespace } = schema as Json;
  return typeof name === 'string' ? fullName(name, typeof namespace === 'string' ? namespace : '') : null;
}

function inlined(schema: unknown, namespace: string, left: Map<string, unknown>): unknown {
  if (typeof schema === 'string') return definitionOf(schema, namespace, left);
  if (Array.isArray(schema)) return schema.map((branch) => inlined(branch, namespace, left));
  if (typeof schema !== 'object' || schema === null) return schema;
  const { type, items, values, fields, ...rest } = schema as Json;
  const own = typeof rest.namespace === 'string' ? rest.namespace : namespace;
  const name = fullName(String(rest.name ?? ''), own);
  // What a schema defines itself is not replaced.
  if (rest.name !== undefined) left.delete(name);
  const within = name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : own;
  return {
    ...rest,
    type: Array.isArray(fields) || type === 'enum' || type === 'fixed' ? type : inlined(type, own, left),
    ...(items !== undefined && { items: inlined(items, own, left) }),
    ...(values !== undefined && { values: inlined(values, own, left) }),
    ...(Array.isArray(fields) && {
      fields: fields.map((field: Json) => ({ ...field, type: inlined(field.type, within, left) })),
    }),
  };
}

function definitionOf(name: string, namespace: string, left: Map<string, unknown>): unknown {
  for (const full of [fullName(name, namespace), name]) {
    const definition = left.get(full);
    if (definition === undefined) continue;
    left.delete(full);
    // It may lie within another namespace now, and has none of it.
    return inlined({ namespace: '', ...(definition as object) }, '', left);
  }
  return name;
}

function fullName(name: string, namespace: string): string {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
}
