/**
 * How `verify` treats a field of a statement.
 *
 * `recomputed`: it follows from the rows or from other fields (`expectedStatement` says how), and must be equal.
 * `stated`: the operator states it; nothing in the files derives it. `verify` lists it as not proven, with the reason.
 */
export type FieldRule = { by: 'recomputed' } | { by: 'stated'; why: string };

const RECOMPUTED: FieldRule = { by: 'recomputed' };
const stated = (why: string): FieldRule => ({ by: 'stated', why });

const SUMS = ['sponsoredOctets', 'subscriberOctets', 'chargeMicros'] as const;
const CLOSING = 'when and by whom the month was closed is in the operator’s store only';
const CORRECTION = 'name and reason of a correction are in the operator’s store only';
const ENTRY = 'account entries have no rows; compare payments and credits with your own books';
const TIER = 'the agreed tiers and prices are in the contract; the charges of the rows follow from these';
const INVOICE = 'number, day of issue and terms of an invoice are the operator’s';
const TERMS = 'what was agreed for the month is in the contract; what it bills follows from it';
const PARTIES = 'seller, buyer and the buyer’s tax are in the contract; the amounts of tax follow from its rate';
const PARTY = [
  ...['legalName', 'taxId', 'companyId', 'endpoint.scheme', 'endpoint.id'],
  ...['address.street', 'address.city', 'address.postalCode', 'address.region', 'address.country'],
];
const ZONE = 'a plan’s time zone is in the contract; the days of the rows follow from it';
const SETTLEMENT_TIME = 'a plan’s settlement time is in the contract; what is late follows from it';
const SOURCE = 'what was missing or rejected has no rows';
const BATCH = 'batches are in the operator’s journal';

/** Every field of a statement, by its path; `[]` is any item of an array. A field without a rule here fails a test. */
export const FIELD_RULES: Readonly<Record<string, FieldRule>> = {
  format: RECOMPUTED,
  'sponsor.id': RECOMPUTED,
  'sponsor.name': stated('no row has a name'),
  'sponsor.currency': RECOMPUTED,
  'sponsor.minorDigits': RECOMPUTED,
  month: RECOMPUTED,
  isClosed: stated(CLOSING),
  closing: stated(CLOSING),
  ...each('closing', ['number', 'closedAt', 'who'], stated(CLOSING)),
  isOpeningFinal: stated('whether an earlier month is open is in the operator’s store only'),
  ...each('lines[]', ['applicationId', 'planId', 'planVersion', 'usageMonth', 'isAdjustment', 'records'], RECOMPUTED),
  ...each('lines[]', [...SUMS, 'roundingMicros', 'tiers[].octets', 'tiers[].amountMicros'], RECOMPUTED),
  ...each('lines[].tiers[]', ['fromOctets', 'toOctets', 'pricePerMiBMicros'], stated(TIER)),
  ...each('corrections[]', ['number', 'usageMonth', 'isAdjustment', 'rows', ...SUMS], RECOMPUTED),
  ...each('corrections[]', ['name', 'who', 'why'], stated(CORRECTION)),
  ...each('entries[]', ['number', 'kind', 'amountMicros', 'effectiveAt', 'bookedAt', 'who', 'why'], stated(ENTRY)),
  ...each(
    'monthlyTerms[]',
    ['id', 'version', 'applicationId', 'flatFeeMicros', 'minimumCommitmentMicros'],
    stated(TERMS),
  ),
  ...each('monthlyTerms[].volumeRebate', ['appliesTo', 'bands[].fromOctets', 'bands[].basisPoints'], stated(TERMS)),
  'monthlyTerms[].volumeRebate': stated(TERMS),
  ...each('monthlyTerms[]', ['sponsoredOctets', 'chargeMicros', 'rebateMicros', 'countedMicros'], RECOMPUTED),
  ...each('monthlyTerms[]', ['shortfallMicros', 'amountMicros'], RECOMPUTED),
  ...each('timeZones[]', ['planId', 'planVersion', 'timeZone'], stated(ZONE)),
  ...each('byDay[]', ['day', ...SUMS], RECOMPUTED),
  ...each('byApplication[]', ['applicationId', ...SUMS], RECOMPUTED),
  ...each('byContentType[]', ['contentType', ...SUMS], RECOMPUTED),
  ...each('completeness.missingRecords', ['records', 'sponsoredOctets', 'chargeMicros'], stated(SOURCE)),
  ...each('completeness.rejections[]', ['reason', 'records'], stated(SOURCE)),
  ...each('completeness.lateRecords', ['records', 'sponsoredOctets', 'chargeMicros'], RECOMPUTED),
  ...each('completeness.sourceGaps[]', ['reason', 'bookingDate'], stated(SOURCE)),
  ...each(
    'completeness.lateRecords.settlements[]',
    ['planId', 'planVersion', 'usageMonth', 'settledOn'],
    stated(SETTLEMENT_TIME),
  ),
  ...each('totals', ['records', ...SUMS, 'adjustmentMicros', 'monthlyTermsMicros', 'totalMicros', 'total'], RECOMPUTED),
  ...each('totals', ['openingMicros', 'creditMicros', 'closingMicros'], RECOMPUTED),
  due: RECOMPUTED,
  ...each(
    'due',
    ['taxableMicros', 'taxMicros', 'roundingMicros', 'paidMicros', 'amountDueMicros', 'amountDue'],
    RECOMPUTED,
  ),
  invoice: stated(INVOICE),
  'invoice.dueDate': RECOMPUTED,
  ...each('invoice', ['number', 'issueDate', 'termsDays'], stated(INVOICE)),
  ...each('invoice.seller', PARTY, stated(PARTIES)),
  ...each('invoice.seller.bankAccount', ['id', 'name', 'bankId'], stated(PARTIES)),
  ...each('invoice.seller.contact', ['name', 'phone', 'email'], stated(PARTIES)),
  ...each('invoice.buyer', [...PARTY, 'termsDays', 'reference', 'orderReference'], stated(PARTIES)),
  ...each('invoice.buyer.tax', ['category', 'rate', 'exemptionReason'], stated(PARTIES)),
  ...each('proof', ['merkleRoot', 'leaves', 'rowForm', 'batches.count', 'batches.digest'], RECOMPUTED),
  'proof.batches.list': RECOMPUTED,
  'proof.batches.list[].digest': stated(BATCH),
};

function each(holder: string, fields: readonly string[], rule: FieldRule): Record<string, FieldRule> {
  return Object.fromEntries(fields.map((field) => [`${holder}.${field}`, rule]));
}

/**
 * Replaces a value that cannot be recomputed here, although its rule says `recomputed`: it is listed with this reason.
 */
export class NotDerived {
  readonly why: string;

  constructor(why: string) {
    this.why = why;
  }
}

export interface UnprovenField {
  /** Path of the field; `[]` is each item of an array. */
  field: string;
  why: string;
}

export interface ComparedFields {
  /** What differs, a sentence each. */
  faults: string[];
  unproven: UnprovenField[];
}

const STATED = Object.entries(FIELD_RULES).flatMap(([field, rule]): UnprovenField[] =>
  rule.by === 'stated' ? [{ field, why: rule.why }] : [],
);

const RECOMPUTED_FIELDS = Object.keys(FIELD_RULES).filter((field) => FIELD_RULES[field].by === 'recomputed');

/** Values that one field may have: bigints are amounts, null is no value. */
type Scalar = string | number | bigint | boolean | null;

interface Leaf {
  /** With the items' names: `lines[chat, chat-monthly version 1, 2026-10].records`. */
  path: string;
  field: string;
  value: Scalar | NotDerived;
}

/** How the items of an array are identified, so that a missing one does not shift the others. By default by their place. */
export type ItemNames = Readonly<Record<string, (item: never) => string>>;

/**
 * Compares every field of a statement with its expected value, by the rules. `missing` is used for fields whose rule says
 * `recomputed` and that have no expected value. Throws an Error for a field without a rule, and where there is no `missing`.
 */
export function compareFields(
  statement: object,
  expected: object,
  names: ItemNames,
  missing: NotDerived | null = null,
): ComparedFields {
  const found = new Map(leavesOf(statement, names).map((leaf) => [leaf.path, leaf]));
  const wanted = new Map(leavesOf(expected, names).map((leaf) => [leaf.path, leaf]));
  const faults = [...itemFaults(statement, expected, names)];
  // A stated field is not proven even where it has no item: nothing proves that there is none.
  const unproven = new Map(STATED.map((field) => [field.field, field]));
  if (missing !== null) {
    const derived = new Set([...wanted.values()].map(({ field }) => field));
    for (const field of RECOMPUTED_FIELDS) if (!derived.has(field)) unproven.set(field, { field, why: missing.why });
  }
  const strangers = new Set(faults.map(({ item }) => item));
  const differences: string[] = [];
  for (const { path, field, value } of found.values()) {
    const rule = FIELD_RULES[field];
    if (rule === undefined) throw new Error(`${field}: has no rule in FIELD_RULES of statement-fields.ts`);
    if (rule.by === 'stated' || itemsOf(path).some((item) => strangers.has(item))) continue;
    const want = wanted.has(path) ? wanted.get(path)?.value : (missing ?? undefined);
    if (want === undefined) throw new Error(`${path}: expectedStatement of expected-statement.ts derives no value`);
    if (want instanceof NotDerived) unproven.set(field, { field, why: want.why });
    else if (want !== value) differences.push(`${path}: ${value} in the statement, ${want} recomputed`);
  }
  for (const { path, value } of wanted.values()) {
    if (found.has(path) || itemsOf(path).some((item) => strangers.has(item)) || value instanceof NotDerived) continue;
    differences.push(`${path}: missing in the statement, ${value} recomputed`);
  }
  return { faults: [...faults.map(({ text }) => text), ...differences], unproven: [...unproven.values()] };
}

interface ItemFault {
  item: string;
  text: string;
}

/** Returns items that only one of the two has, items that occur twice, and items in another order. */
function itemFaults(statement: object, expected: object, names: ItemNames): ItemFault[] {
  const [found, wanted] = [arraysOf(statement, names), arraysOf(expected, names)];
  return [...found].flatMap(([array, items]) => {
    const want = wanted.get(array);
    if (want === undefined) return [];
    const item = (name: string) => `${array}[${name}]`;
    const only = items.filter((name) => !want.includes(name));
    const missing = want.filter((name) => !items.includes(name));
    const twice = items.filter((name, at) => items.indexOf(name) !== at);
    const isMoved = only.length + missing.length + twice.length === 0 && items.some((name, at) => name !== want[at]);
    return [
      ...only.map((name) => ({ item: item(name), text: `${item(name)}: the statement lists it, and it has no rows` })),
      ...missing.map((name) => ({
        item: item(name),
        text: `${item(name)}: has rows, and the statement does not list it`,
      })),
      ...twice.map((name) => ({ item: item(name), text: `${item(name)}: the statement lists it twice` })),
      ...(isMoved ? [{ item: array, text: `${array}: not in the order of a statement` }] : []),
    ];
  });
}

/** Returns the names of the items of each array, by the array's path. */
function arraysOf(tree: object, names: ItemNames): Map<string, string[]> {
  const arrays = new Map<string, string[]>();
  visit(tree, '', '', names, { leaf: () => undefined, array: (path, items) => arrays.set(path, items) });
  return arrays;
}

function leavesOf(tree: object, names: ItemNames): Leaf[] {
  const leaves: Leaf[] = [];
  visit(tree, '', '', names, { leaf: (leaf) => leaves.push(leaf), array: () => undefined });
  return leaves;
}

interface Visitor {
  leaf: (leaf: Leaf) => void;
  array: (path: string, items: string[]) => void;
}

function visit(value: unknown, path: string, field: string, names: ItemNames, visitor: Visitor): void {
  if (Array.isArray(value)) {
    const nameOf = names[field] as ((item: unknown) => string) | undefined;
    const items = value.map((item, at) => nameOf?.(item) ?? String(at));
    visitor.array(path, items);
    for (const [at, item] of value.entries()) visit(item, `${path}[${items[at]}]`, `${field}[]`, names, visitor);
  } else if (typeof value === 'object' && value !== null && !(value instanceof NotDerived)) {
    const prefix = (holder: string, key: string) => (holder === '' ? key : `${holder}.${key}`);
    for (const [key, inner] of Object.entries(value))
      visit(inner, prefix(path, key), prefix(field, key), names, visitor);
  } else if (value !== undefined) {
    visitor.leaf({ path, field, value: value as Scalar | NotDerived });
  }
}

/** Returns the items on a path: `a[x]` and `a[x].b[y]` for `a[x].b[y].c`. */
function itemsOf(path: string): string[] {
  return [...path.matchAll(/\]/g)].map(({ index }) => path.slice(0, index + 1));
}
