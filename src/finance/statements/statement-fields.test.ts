import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { ITEM_NAMES } from './expected-statement.ts';
import { statementSchema } from './statement-document.ts';
import { compareFields, FIELD_RULES, NotDerived } from './statement-fields.ts';

interface JsonSchema {
  type?: string;
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
}

/** Returns every field of a statement's schema; a map or list that may be null counts as one. */
function fieldsOf(schema: JsonSchema, path = ''): string[] {
  const { properties, items, anyOf } = schema;
  if (anyOf !== undefined) return [...new Set(anyOf.flatMap((each) => fieldsOf(each, path)))];
  if (items !== undefined) return fieldsOf(items, `${path}[]`);
  if (properties === undefined) return [path];
  return Object.entries(properties).flatMap(([name, each]) => fieldsOf(each, path === '' ? name : `${path}.${name}`));
}

describe('the fields of a statement', () => {
  const fields = fieldsOf(z.toJSONSchema(statementSchema, { io: 'input' }) as JsonSchema);

  test.each(fields.map((field) => [field]))('%s has a rule', (field) => {
    const todo =
      `Add ${field} to FIELD_RULES of statement-fields.ts. Where the rows or other fields derive it: RECOMPUTED, and its value in ` +
      'expectedStatement of expected-statement.ts. Otherwise: stated, with the reason why nothing derives it; `verify` then lists it as not proven.';
    expect(FIELD_RULES[field], todo).toBeDefined();
  });

  test('every rule has a field', () => {
    const unused = Object.keys(FIELD_RULES).filter((field) => !fields.includes(field));
    expect(unused, 'remove these from FIELD_RULES of statement-fields.ts').toEqual([]);
  });
});

describe('a field', () => {
  const compare = (statement: object, expected: object) => compareFields(statement, expected, ITEM_NAMES);

  test('without a rule is an error', () => {
    expect(() => compare({ surprise: 1 }, {})).toThrow('surprise: has no rule in FIELD_RULES');
  });

  test('that must be recomputed, and that nothing derives, is an error', () => {
    expect(() => compare({ totals: { records: 1 } }, {})).toThrow('totals.records: expectedStatement');
  });

  test('that cannot be derived here is listed with the reason', () => {
    const { faults, unproven } = compare({ month: '2026-10' }, { month: new NotDerived('no row') });
    expect(faults).toEqual([]);
    expect(unproven).toContainEqual({ field: 'month', why: 'no row' });
  });

  test('that is stated is listed even if the statement has no item of it', () => {
    expect(compare({ entries: [] }, {}).unproven).toContainEqual({
      field: 'entries[].amountMicros',
      why: expect.stringContaining('no rows'),
    });
  });

  test('that is missing is a fault', () => {
    expect(compare({ totals: {} }, { totals: { records: 2 } }).faults).toEqual([
      'totals.records: missing in the statement, 2 recomputed',
    ]);
  });
});

test('items that are moved, doubled, or of only one of the two', () => {
  const day = (name: string) => ({ day: name, sponsoredOctets: 0n, subscriberOctets: 0n, chargeMicros: 0n });
  const faultsOf = (found: string[], expected: string[]) =>
    compareFields({ byDay: found.map(day) }, { byDay: expected.map(day) }, ITEM_NAMES).faults;
  expect(faultsOf(['1', '2'], ['1', '2'])).toEqual([]);
  expect(faultsOf(['2', '1'], ['1', '2'])).toEqual(['byDay: not in the order of a statement']);
  expect(faultsOf(['1', '1', '2'], ['1', '2'])).toEqual(['byDay[1]: the statement lists it twice']);
  expect(faultsOf(['1', '3'], ['1', '2'])).toEqual([
    'byDay[3]: the statement lists it, and it has no rows',
    'byDay[2]: has rows, and the statement does not list it',
  ]);
});
