/** The last clause that names a format. */
export const TRAILING_FORMAT = /\s+FORMAT\s+(\w+)\s*;?\s*$/i;
const INSERT_WITH_INLINE_DATA = /^\s*INSERT\s.+?\sFORMAT\s+\w+[ \t]*\r?\n/is;
const QUOTED_OR_COMMENT = /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|--[^\n]*|\/\*.*?\*\//gs;

/** The format that the statement's own last clause asks for. */
export function formatOf(sql: string): string | null {
  return TRAILING_FORMAT.exec(sql)?.[1] ?? null;
}

/** Splits a body that holds the statement and after it, maybe, the data of an `INSERT ... FORMAT X`, which may be binary. */
export function splitBody(body: Buffer): { sql: string; data: Buffer } {
  // latin1 keeps one character for each byte, so the length of the match is an offset into the body.
  const insert = INSERT_WITH_INLINE_DATA.exec(body.toString('latin1'));
  const end = insert === null ? body.length : insert[0].length;
  return { sql: body.subarray(0, end).toString('utf8'), data: body.subarray(end) };
}

/** A server takes one statement a request, chdb takes many: without this check, what fails on a server would pass here. */
export function hasSecondStatement(sql: string): boolean {
  return /;\s*[^\s;]/.test(sql.replace(QUOTED_OR_COMMENT, ' ').trimEnd());
}
