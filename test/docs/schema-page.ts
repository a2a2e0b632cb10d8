/** The parts of a JSON Schema that a reference page shows. */
export interface JsonSchema {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  minimum?: number;
  maximum?: number;
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: JsonSchema | boolean;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  allOf?: JsonSchema[];
}

interface Row {
  path: string;
  schema: JsonSchema;
  isRequired: boolean;
}

/** Returns a Markdown table of every field of the document that the schema describes. */
export function fieldTable(schema: JsonSchema): string {
  const rows = rowsOf([schema], '').map(
    ({ path, schema: field, isRequired }) =>
      `| \`${path}\`${isRequired ? ' \\*' : ''} | ${cell(field.description ?? '')} | ${typeOf(field)}${defaultOf(field)} |`,
  );
  return ['| field | meaning | value; default |', '|---|---|---|', ...rows].join('\n');
}

/** Returns the paths of all fields, such as `applications[].tags`; `<name>` is a name of the user's own. */
export function fieldPaths(schema: JsonSchema): string[] {
  return rowsOf([schema], '').map(({ path }) => path);
}

/** The fields of schemas that may be in one place, each field once: what alternatives have in common, and what only some have. */
function rowsOf(schemas: readonly JsonSchema[], prefix: string): Row[] {
  const alternatives = schemas.flatMap((schema) => [
    schema,
    ...(schema.anyOf ?? []),
    ...(schema.oneOf ?? []),
    ...(schema.allOf ?? []),
  ]);
  const fields = new Map<string, { schemas: JsonSchema[]; isRequired: boolean }>();
  for (const { properties = {}, required = [] } of alternatives) {
    for (const [name, schema] of Object.entries(properties)) {
      const known = fields.get(name);
      if (known === undefined) fields.set(name, { schemas: [schema], isRequired: required.includes(name) });
      else known.schemas.push(schema);
    }
  }
  return [...fields].flatMap(([name, { schemas: found, isRequired }]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    return [{ path, schema: merged(found), isRequired }, ...rowsBelow(found, path)];
  });
}

function rowsBelow(fields: readonly JsonSchema[], path: string): Row[] {
  const entries = fields.flatMap(({ additionalProperties }) =>
    typeof additionalProperties === 'object' ? [additionalProperties] : [],
  );
  const items = fields.flatMap((field) => field.items ?? []);
  return [...rowsOf(fields, path), ...rowsOf(items, `${path}[]`), ...rowsOf(entries, `${path}.<name>`)];
}

/** A field that alternatives have: the first one's, or the words that distinguish them. */
function merged([first, ...others]: readonly JsonSchema[]): JsonSchema {
  if (first.const === undefined || others.length === 0) return first;
  const words = [first, ...others].map((word) => ({ ...word, name: String(word.const) }));
  const description = words.map(({ name, description: meaning }) => `${name}: ${meaning}`).join(' ');
  return { enum: words.map(({ name }) => name), description };
}

function typeOf(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  const alternatives = (schema.anyOf ?? schema.oneOf ?? []).filter((each) => typeOf(each) !== 'value');
  if (alternatives.length > 0) return [...new Set(alternatives.map(typeOf))].join(' or ');
  if (schema.type === 'array') return `list of ${schema.items === undefined ? 'values' : typeOf(schema.items)}`;
  if (schema.type === 'object' && typeof schema.additionalProperties === 'object') {
    return `map of ${typeOf(schema.additionalProperties)}`;
  }
  return `${schema.type ?? (schema.properties ? 'object' : 'value')}${rangeOf(schema)}`;
}

/** Limits that are the type's own, as 2^53 - 1, say nothing. */
function rangeOf({ minimum, maximum }: JsonSchema): string {
  const isBounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  if (minimum !== undefined && minimum > -Number.MAX_SAFE_INTEGER) {
    return isBounded ? `, ${minimum} to ${maximum}` : `, at least ${minimum}`;
  }
  return isBounded ? `, at most ${maximum}` : '';
}

/** An object's default is that of its fields. */
function defaultOf({ default: value }: JsonSchema): string {
  if (value === undefined || (typeof value === 'object' && value !== null && !Array.isArray(value))) return '';
  return `; \`${JSON.stringify(value)}\``;
}

/** Returns the text as a cell of a Markdown table; angle brackets would be read as HTML. */
export function cell(text: string): string {
  return text
    .replaceAll('|', '\\|')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('\n', ' ')
    .replaceAll('{{', '{ {');
}
