import type * as z from 'zod';
import type { DocumentPath } from './document-fault.ts';
import { nearestWord, suggestion } from './nearest-word.ts';

/** What does not fit a schema, and where. */
interface ShapeFault {
  path: DocumentPath;
  message: string;
}

export type Shaped<T> = { value: T; faults?: undefined } | { value?: undefined; faults: ShapeFault[] };

type RawIssue = z.core.$ZodRawIssue;
type Issue = z.core.$ZodIssue;

const MISSING = 'is missing';

const NOUNS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
};

/** Checks a value against a schema. Returns all faults at once; a schema's own messages go before the ones made here. */
export function shape<T>(schema: z.ZodType<T>, value: unknown): Shaped<T> {
  const knownKeys = new Map<string, string[]>();
  const error = (issue: RawIssue): string => {
    // Only the raw issue knows the schema that raised it.
    if (issue.code === 'unrecognized_keys') knownKeys.set(JSON.stringify(issue.path ?? []), keysOf(issue.inst));
    return messageOf(issue);
  };
  const result = schema.safeParse(value, { error });
  if (result.success) return { value: result.data };
  return { faults: withoutEchoes(result.error.issues.flatMap((issue) => faultsOf(issue, [], knownKeys))) };
}

/** A misspelled key is one fault, not two: the key that was meant is not reported as missing. */
function withoutEchoes(faults: readonly (ShapeFault & { meant?: string | null })[]): ShapeFault[] {
  const meant = new Set(
    faults.flatMap(({ path, meant }) => (meant ? [JSON.stringify([...path.slice(0, -1), meant])] : [])),
  );
  return faults
    .filter(({ path, message }) => !(message.startsWith(MISSING) && meant.has(JSON.stringify(path))))
    .map(({ path, message }) => ({ path, message }));
}

function faultsOf(
  issue: Issue,
  above: DocumentPath,
  knownKeys: ReadonlyMap<string, string[]>,
): (ShapeFault & { meant?: string | null })[] {
  const path = [...above, ...(issue.path as (string | number)[])];
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys.get(JSON.stringify(issue.path)) ?? [];
    return issue.keys.map((key) => ({
      path: [...path, key],
      meant: nearestWord(key, known),
      message: `unknown key${suggestion(key, known) || `, known are ${known.join(', ')}`}`,
    }));
  }
  if (issue.code === 'invalid_union') {
    // The form that was meant is the one whose own kind fits: its faults lie deeper.
    const meant = issue.errors.find((issues) =>
      issues.every(({ path, code }) => path.length > 0 || code !== 'invalid_type'),
    );
    if (meant !== undefined) return meant.flatMap((inner) => faultsOf(inner, path, knownKeys));
  }
  if (issue.code === 'invalid_key') return [{ path, message: issue.issues[0]?.message ?? issue.message }];
  return [{ path, message: issue.message }];
}

function keysOf(schema: unknown): string[] {
  const def = (schema as z.core.$ZodType)._zod.def as { shape?: object };
  return Object.keys(def.shape ?? {});
}

function messageOf(issue: RawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(NOUNS[issue.expected] ?? issue.expected, issue.input);
    case 'invalid_value': {
      const words = issue.values.map(String);
      const hint = typeof issue.input === 'string' ? suggestion(issue.input, words) : '';
      return `${missingOr(issue.input, `expected one of ${words.join(', ')}`)}${hint}`;
    }
    case 'too_small':
      return outOfRange(issue.origin, issue.input, 'at least', issue.minimum, issue.inclusive ?? true);
    case 'too_big':
      return outOfRange(issue.origin, issue.input, 'at most', issue.maximum, issue.inclusive ?? true);
    case 'invalid_key':
      return 'not a valid key';
    case 'invalid_union':
      return noForm(issue.errors, issue.input);
    case 'invalid_format':
      return `${shown(issue.input)} is not written as ${issue.format === 'regex' ? issue.pattern : issue.format}`;
    default:
      return `not valid: ${shown(issue.input)}`;
  }
}

function wrongType(noun: string, input: unknown): string {
  const remedy = noun.startsWith('text') && typeof input === 'number' ? ': put it in quotes' : '';
  return missingOr(input, `expected ${noun}`) + remedy;
}

function noForm(forms: readonly (readonly Issue[])[], input: unknown): string {
  const nouns = forms.flatMap(([issue]) =>
    issue.code === 'invalid_type' ? [NOUNS[issue.expected] ?? issue.expected] : [],
  );
  const isKnown = nouns.length === forms.length;
  return isKnown ? wrongType(nouns.join(' or '), input) : `fits none of the allowed forms: ${shown(input)}`;
}

function missingOr(input: unknown, expectation: string): string {
  return input === undefined ? `${MISSING}: ${expectation}` : `${expectation}, got ${shown(input)}`;
}

function outOfRange(origin: string, input: unknown, word: string, limit: number | bigint, inclusive: boolean): string {
  const bound = inclusive ? `${word} ${limit}` : word === 'at least' ? `above ${limit}` : `below ${limit}`;
  if (origin === 'array') return `expected ${bound} entries, got ${(input as unknown[]).length}`;
  if (origin === 'string') return `expected ${bound} characters, got ${(input as string).length}`;
  return `expected ${bound}, got ${shown(input)}`;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a map';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
