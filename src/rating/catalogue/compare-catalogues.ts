import type { Catalogue } from '../catalogue.ts';
import type { CatalogueDocument } from './catalogue-document.ts';

/** One thing that another catalogue says otherwise. */
export interface CatalogueChange {
  /** Who pays for what it concerns; empty: the carrier's own details. */
  sponsorId: string;
  /**
   * `sponsor chatter`, `application chat`, `plan chat-day version 2`, `quota chat-and-maps version 1`, `monthly terms chatter-2027
   * version 1`, `location fairground`, `network` or `invoicing`.
   */
  part: string;
  change: 'added' | 'removed' | 'changed';
  /** Of a changed part: the field, as `content.text`. */
  field?: string;
  /** Its values, as the catalogues have them; undefined where one has none. */
  before?: unknown;
  after?: unknown;
  /** Of a list whose order means nothing: the entries that one of them has alone. */
  added?: readonly unknown[];
  removed?: readonly unknown[];
  /** Of a list of claims: those that both have, with other dates. */
  redated?: readonly RedatedClaim[];
}

/** A claim as the two catalogues write it. */
export interface RedatedClaim {
  before: unknown;
  after: unknown;
}

/** Lists whose order means nothing. */
const SETS: ReadonlySet<string> = new Set([
  'aspIdentities',
  'bankAccounts',
  'detectedNames',
  'homePlmns',
  'identifiedBy',
  'locations',
  'plans',
  'prefixes',
  'ratTypes',
  'ratingGroups',
  'serviceIdentifiers',
  'servingPlmns',
  'sponsorIdentities',
  'tags',
  'trackingAreas',
]);
/** Objects that are compared field by field. */
const NESTED: ReadonlySet<string> = new Set([
  'accountKeys',
  'buyer',
  'campaign',
  'conditions',
  'content',
  'volumeRebate',
]);

type Fields = Readonly<Record<string, unknown>>;

interface Part {
  sponsorId: string;
  fields: Fields;
}

/**
 * Returns what differs, by sponsor and part, in the order of the catalogue after; what it no longer has comes last. What means the same
 * in another form is no difference: an instant in another offset, an entry of a list with its name alone.
 */
export function compareCatalogues(before: Catalogue, after: Catalogue): CatalogueChange[] {
  const [old, current] = [partsOf(before), partsOf(after)];
  const changes: CatalogueChange[] = [];
  for (const [part, { sponsorId, fields }] of current) {
    const former = old.get(part);
    if (former === undefined) {
      changes.push({ sponsorId, part, change: 'added', after: fields });
      continue;
    }
    // What moves concerns both: one loses the money that the other gets.
    const concerned = new Set([former.sponsorId, sponsorId]);
    for (const change of fieldChanges(former.fields, fields)) {
      for (const id of change.field === 'sponsor' ? concerned : [sponsorId])
        changes.push({ sponsorId: id, part, ...change });
    }
  }
  for (const [part, { sponsorId, fields }] of old) {
    if (!current.has(part)) changes.push({ sponsorId, part, change: 'removed', before: fields });
  }
  return changes;
}

function partsOf({ canonicalJson }: Catalogue): Map<string, Part> {
  const document = JSON.parse(canonicalJson) as CatalogueDocument;
  const sponsorOf = new Map(document.applications.map(({ id, sponsor }) => [id, sponsor]));
  const parts: [string, Part][] = [
    ...document.sponsors.map((fields): [string, Part] => [`sponsor ${fields.id}`, { sponsorId: fields.id, fields }]),
    ...document.applications.map((fields): [string, Part] => [
      `application ${fields.id}`,
      { sponsorId: fields.sponsor, fields },
    ]),
    ...document.plans.map((fields): [string, Part] => [
      `plan ${fields.id} version ${fields.version}`,
      { sponsorId: sponsorOf.get(fields.application) ?? '', fields },
    ]),
    ...(document.quotas ?? []).map((fields): [string, Part] => [
      `quota ${fields.id} version ${fields.version}`,
      { sponsorId: fields.sponsor, fields },
    ]),
  ];
  for (const fields of document.monthlyTerms ?? []) {
    parts.push([`monthly terms ${fields.id} version ${fields.version}`, { sponsorId: fields.sponsor, fields }]);
  }
  for (const fields of document.locations ?? []) parts.push([`location ${fields.id}`, { sponsorId: '', fields }]);
  if (document.network !== undefined) parts.push(['network', { sponsorId: '', fields: document.network }]);
  if (document.invoicing !== undefined) parts.push(['invoicing', { sponsorId: '', fields: document.invoicing }]);
  return new Map(parts);
}

function fieldChanges(before: Fields, after: Fields, path = ''): Omit<CatalogueChange, 'sponsorId' | 'part'>[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names.flatMap((name) => {
    const [former, current] = [before[name], after[name]];
    if (textOf(former, name) === textOf(current, name)) return [];
    const field = `${path}${name}`;
    if (SETS.has(name)) {
      const lists = pairRedated(without(current, former), without(former, current));
      const isSame = lists.added.length + lists.removed.length + (lists.redated?.length ?? 0) === 0;
      return isSame ? [] : [{ change: 'changed' as const, field, ...lists }];
    }
    if (NESTED.has(name) && former !== undefined && current !== undefined)
      return fieldChanges(former as Fields, current as Fields, `${field}.`);
    return [{ change: 'changed' as const, field, before: former, after: current }];
  });
}

/** Returns the entries of one list that another does not have; a list may be absent. */
function without(list: unknown, other: unknown): unknown[] {
  const known = new Set(((other ?? []) as unknown[]).map((entry) => textOf(entryOf(entry))));
  return ((list ?? []) as unknown[]).filter((entry) => !known.has(textOf(entryOf(entry))));
}

interface ListChange extends Pick<CatalogueChange, 'redated'> {
  added: readonly unknown[];
  removed: readonly unknown[];
}

/** Takes out of both lists what differs in its dates alone, where it is in each of them once. */
function pairRedated(added: readonly unknown[], removed: readonly unknown[]): ListChange {
  const [byClaim, formerByClaim] = [onceByClaim(added), onceByClaim(removed)];
  const redated = [...formerByClaim].flatMap(([claim, before]): RedatedClaim[] => {
    const after = byClaim.get(claim);
    return before === null || after == null ? [] : [{ before, after }];
  });
  if (redated.length === 0) return { added, removed };
  const paired = new Set(redated.flatMap(({ before, after }) => [before, after]));
  const unpaired = (list: readonly unknown[]) => list.filter((entry) => !paired.has(entry));
  return { added: unpaired(added), removed: unpaired(removed), redated };
}

/** The entries by what they claim; null for a claim that is there several times. */
function onceByClaim(entries: readonly unknown[]): Map<string, unknown> {
  const byClaim = new Map<string, unknown>();
  for (const entry of entries) {
    const claim = claimOf(entry);
    byClaim.set(claim, byClaim.has(claim) ? null : entry);
  }
  return byClaim;
}

/** Text of an entry without its dates. */
function claimOf(entry: unknown): string {
  if (typeof entry !== 'object' || entry === null) return textOf(entry);
  const { from: _from, to: _to, ...claim } = entry as Fields;
  return textOf(entryOf(claim));
}

/** Returns the name of an entry that has nothing else: `{ tag: CHAT }` is CHAT. */
function entryOf(entry: unknown): unknown {
  if (typeof entry !== 'object' || entry === null) return entry;
  const [only, ...others] = Object.values(entry);
  return others.length === 0 ? only : entry;
}

const INSTANTS: ReadonlySet<string> = new Set(['from', 'to', 'effectiveFrom', 'effectiveTo']);

/** Canonical JSON has sorted keys: what is equal has the same text. Instants of named fields are the same in any offset. */
function textOf(value: unknown, name = ''): string {
  const canonical = (key: string, field: unknown) => {
    const at = INSTANTS.has(key || name) && typeof field === 'string' ? Date.parse(field) : Number.NaN;
    return Number.isNaN(at) ? field : at;
  };
  return JSON.stringify(value, canonical) ?? '';
}
