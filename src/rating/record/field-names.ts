import { nearestWord } from '../../formats/nearest-word.ts';
import { FLOW_RECORD_FIELDS, NO_LATER_FIELDS } from '../flow-record.ts';

const KNOWN: ReadonlySet<string> = new Set(FLOW_RECORD_FIELDS);
const BY_LETTERS: ReadonlyMap<string, string> = new Map(FLOW_RECORD_FIELDS.map((name) => [lettersOf(name), name]));
/** Producers may have had fields with names near to these before they were ours: `natType`, `accountIds`. Only another spelling is meant for one. */
const LATER: ReadonlySet<string> = new Set(Object.keys(NO_LATER_FIELDS));
const MAX_NAME_LENGTH = 64;
/** Vendors' names that were looked at; a stream of ever new ones must not fill the memory. */
const MAX_REMEMBERED = 1000;

/** What a name that is no field's was meant to be. */
export interface MeantField {
  field: string;
  /** It differs in case or separators only: `content_type`. Otherwise one letter is wrong, missing, too many or swapped. */
  isSpelling: boolean;
}

const remembered = new Map<string, MeantField | null>();

export function isFieldName(name: string): boolean {
  return KNOWN.has(name);
}

/** The field that a name was meant to be, if it is one but for its spelling or a single slip; otherwise null. */
export function meantField(name: string): MeantField | null {
  const known = remembered.get(name);
  if (known !== undefined) return known;
  const meant = lookUp(name);
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  remembered.set(name, meant);
  return meant;
}

/** ` (did you mean "contentType"?)` for the header of a file, where every unknown name is a fault; or nothing. */
export function fieldSuggestion(name: string): string {
  const field = meantField(name)?.field ?? nearestWord(name, FLOW_RECORD_FIELDS);
  return field === null ? '' : ` (did you mean "${field}"?)`;
}

function lookUp(name: string): MeantField | null {
  if (name.length > MAX_NAME_LENGTH) return null;
  const letters = lettersOf(name);
  const field = BY_LETTERS.get(letters);
  if (field !== undefined) return { field, isSpelling: true };
  for (const [known, field] of BY_LETTERS) {
    if (!LATER.has(field) && isOneSlip(letters, known)) return { field, isSpelling: false };
  }
  return null;
}

function lettersOf(name: string): string {
  return name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '');
}

/** One letter inserted, dropped, replaced or swapped with its neighbour. */
function isOneSlip(from: string, to: string): boolean {
  if (Math.abs(from.length - to.length) > 1) return false;
  let start = 0;
  while (start < from.length && from[start] === to[start]) start++;
  const rest = (text: string, dropped: number) => text.slice(start + dropped);
  return (
    rest(from, 1) === rest(to, 1) ||
    rest(from, 1) === rest(to, 0) ||
    rest(from, 0) === rest(to, 1) ||
    (from[start] === to[start + 1] && from[start + 1] === to[start] && rest(from, 2) === rest(to, 2))
  );
}
