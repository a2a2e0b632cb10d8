const ATOM = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const SPACE = /[ \t\n\r]*/y;

type Expected = 'value' | 'value or end' | 'key' | 'key or end' | 'colon' | 'comma or end' | 'nothing';

/**
 * The index of the first character at which a text stops being JSON; its length if it ends too early; null for JSON.
 *
 * JSON.parse says where in some of its messages only, and quotes the text in the others; a payload names subscribers, so
 * its words must not reach a log.
 */
export function jsonFaultAt(text: string): number | null {
  const closers: string[] = [];
  let expected: Expected = 'value';
  let at = 0;
  for (;;) {
    at = matchEnd(SPACE, text, at);
    const char = text.charAt(at);
    if (expected === 'nothing') return at < text.length ? at : null;
    let end = at + 1;
    if (expected.endsWith('or end') && char === closers.at(-1)) {
      closers.pop();
      expected = afterValue(closers);
    } else if (expected === 'colon' && char === ':') {
      expected = 'value';
    } else if (expected === 'comma or end' && char === ',') {
      expected = closers.at(-1) === '}' ? 'key' : 'value';
    } else if (expected.startsWith('key') && char === '"') {
      end = stringEnd(text, at);
      expected = 'colon';
    } else if (expected.startsWith('value') && (char === '{' || char === '[')) {
      closers.push(char === '{' ? '}' : ']');
      expected = char === '{' ? 'key or end' : 'value or end';
    } else if (expected.startsWith('value')) {
      end = char === '"' ? stringEnd(text, at) : matchEnd(ATOM, text, at);
      expected = afterValue(closers);
    } else {
      return at;
    }
    if (end === -1) return at;
    at = end;
  }
}

/** The line at which a file of a list or a map stops being JSON, from 1, and whether it was cut off there; null for JSON. */
export function jsonFileFault(text: string): { line: number; isCutOff: boolean } | null {
  const faultAt = jsonFaultAt(text);
  if (faultAt === null) return null;
  // Where a text is cut off lies within a string, a list or a map.
  const isCutOff = !/[}\]]\s*$/.test(text);
  return { line: text.slice(0, isCutOff ? text.length : faultAt).split('\n').length, isCutOff };
}

function afterValue(closers: readonly string[]): Expected {
  return closers.length === 0 ? 'nothing' : 'comma or end';
}

/** The index after the pattern's match at `start`; -1 where it does not match. */
function matchEnd(pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start;
  return pattern.test(text) ? pattern.lastIndex : -1;
}

/** The index after the string that opens at `start`; -1 if it never closes or holds what JSON forbids. */
function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length) {
    const char = text.charCodeAt(at);
    if (char === 0x22) return at + 1;
    if (char < 0x20) return -1;
    at = char === 0x5c ? matchEnd(ESCAPE, text, at) : at + 1;
    if (at === -1) return -1;
  }
  return -1;
}
