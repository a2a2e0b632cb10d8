const TRAILING_FORMAT = /\s+FORMAT\s+(\w+)\s*;?\s*$/i;
const INPUT_FUNCTION = /\binput\s*\(\s*('(?:[^'\\]|\\.|'')*')\s*\)/i;
const PLAIN_INSERT = /^(\s*INSERT\s+INTO\s.+?)(\s+SETTINGS\s.+?)?\s+FORMAT\s+(\w+)\s*;?\s*$/is;
const INSERT_WITH_INLINE_DATA = /^\s*INSERT\s.+?\sFORMAT\s+\w+[ \t]*\r?\n/is;
const QUOTED_OR_COMMENT = /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|--[^\n]*|\/\*.*?\*\//gs;

/** A string literal of ClickHouse's SQL. */
export function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

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

/**
 * The same insert with its data in the file at `path` (absolute) instead of in the request's body: `input('structure')`
 * becomes a reading of that file, a plain `INSERT INTO t FORMAT X` becomes `FROM INFILE`. Null when the statement is no
 * insert with a format.
 */
export function readFromFile(sql: string, path: string): string | null {
  const format = formatOf(sql);
  if (format === null) return null;
  // chdb silently reads nothing for `FROM INFILE ... SELECT ... FROM input()`, so that one goes through `file()`.
  if (INPUT_FUNCTION.test(sql)) {
    const read = (_: string, structure: string) => `file(${quote(path)}, ${format}, ${structure})`;
    return sql.replace(TRAILING_FORMAT, '').replace(INPUT_FUNCTION, read);
  }
  if (!PLAIN_INSERT.test(sql)) return null;
  return sql.replace(PLAIN_INSERT, (_, insert: string, settings = '') => {
    return `${insert} FROM INFILE ${quote(path)} COMPRESSION 'none'${settings} FORMAT ${format}`;
  });
}
