const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
/** After a string without escapes these can only be the end of a name, or the begin of a string with a colon in front. */
const NAME_END = '":';

/**
 * The first name that an object of the text has twice; null if none has. `parsed` is what JSON.parse makes of the text: it keeps
 * one of the values without a word. Nearly every record is passed by a count alone.
 */
export function repeatedName(text: string, parsed: object): string | null {
  if (isPlain(text) && Object.keys(parsed).length === nameEnds(text)) return null;
  return countNames(text) === countMembers(parsed) ? null : findRepeated(text);
}

/** Whether each name is followed by its colon at once. */
function isPlain(text: string): boolean {
  return !(
    text.includes('\\') ||
    text.includes(' :') ||
    text.includes('\t') ||
    text.includes('\n') ||
    text.includes('\r')
  );
}

function nameEnds(text: string): number {
  let ends = 0;
  for (let at = text.indexOf(NAME_END); at !== -1; at = text.indexOf(NAME_END, at + NAME_END.length)) ends++;
  return ends;
}

/** The names of all objects in a JSON text. */
function countNames(text: string): number {
  let names = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = stringEnd(text, at);
    else if (code === COLON) names++;
  }
  return names;
}

/** The members that a parsed value has, at all depths. */
function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce<number>((members, item) => members + countMembers(item), own);
}

function findRepeated(text: string): string | null {
  /** Of each object that is open its names; null for a list. */
  const open: (Set<string> | null)[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '{') open.push(new Set());
    else if (char === '[') open.push(null);
    else if (char === '}' || char === ']') open.pop();
    if (char !== '"') continue;
    const end = stringEnd(text, at);
    const names = open.at(-1);
    const name = names != null && isBeforeColon(text, end + 1) ? (JSON.parse(text.slice(at, end + 1)) as string) : null;
    if (name !== null && names?.has(name)) return name;
    if (name !== null) names?.add(name);
    at = end;
  }
  return null;
}

function isBeforeColon(text: string, from: number): boolean {
  let at = from;
  while (' \t\r\n'.includes(text[at] ?? ':')) at++;
  return text[at] === ':';
}

/** The index of the quote that closes the string which opens at `start`. */
function stringEnd(text: string, start: number): number {
  let at = start + 1;
  for (let code = text.charCodeAt(at); code !== QUOTE && at < text.length; code = text.charCodeAt(at))
    at += code === BACKSLASH ? 2 : 1;
  return at;
}
