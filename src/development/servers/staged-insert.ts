import { formatOf, TRAILING_FORMAT } from '../../platform/clickhouse/clickhouse-statement.ts';
import { literal } from '../../platform/clickhouse/store.ts';

const INPUT_FUNCTION = /\binput\s*\(\s*('(?:[^'\\]|\\.|'')*')\s*\)/i;
const PLAIN_INSERT = /^(\s*INSERT\s+INTO\s.+?)(\s+SETTINGS\s.+?)?\s+FORMAT\s+(\w+)\s*;?\s*$/is;

/**
 * Returns the same insert with its data in the file at `path` (absolute) instead of in the request's body:
 * `input('structure')` becomes a read of that file, a plain `INSERT INTO t FORMAT X` becomes `FROM INFILE`. Null when the
 * statement is no insert with a format.
 */
export function readFromFile(sql: string, path: string): string | null {
  const format = formatOf(sql);
  if (format === null) return null;
  // chdb silently reads nothing for `FROM INFILE ... SELECT ... FROM input()`, so that one goes through `file()`.
  if (INPUT_FUNCTION.test(sql)) {
    const read = (_: string, structure: string) => `file(${literal(path)}, ${format}, ${structure})`;
    return sql.replace(TRAILING_FORMAT, '').replace(INPUT_FUNCTION, read);
  }
  if (!PLAIN_INSERT.test(sql)) return null;
  return sql.replace(PLAIN_INSERT, (_, insert: string, settings = '') => {
    return `${insert} FROM INFILE ${literal(path)} COMPRESSION 'none'${settings} FORMAT ${format}`;
  });
}
