import { exception } from '../platform/clickhouse-exception.ts';

/** A statement that only reads, in ClickHouse's own spelling. */
export interface InspectedStatement {
  sql: string;
  /** That its FORMAT clause names; null without one. */
  format: string | null;
}

const READS = new Set(['SELECT', 'WITH', 'FROM', 'SHOW', 'DESCRIBE', 'DESC', 'EXISTS', 'EXPLAIN', '(']);
const TOKEN = /'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*"|[A-Za-z_][A-Za-z0-9_]*|[^\s]/gs;

/**
 * Refuses what no right of ClickHouse's governs where it is embedded: statements that are no question, `INTO OUTFILE`, and the
 * function `file`, which reads any file. `formatted` is a statement as ClickHouse's `formatQuerySingleLine` spells it: one
 * statement, no comments, texts in single quotes. It is this spelling that must be executed.
 */
export function inspectStatement(formatted: string): InspectedStatement {
  const sql = formatted.trim();
  const tokens = [...sql.matchAll(TOKEN)].map(([token]) => token);
  if (!READS.has(tokens[0]?.toUpperCase() ?? '')) {
    throw exception(164, 'READONLY', `Only questions are answered here, not ${tokens[0] ?? 'nothing'}`);
  }
  tokens.forEach((token, at) => {
    const [before, after] = [tokens[at - 1]?.toUpperCase(), tokens[at + 1]];
    if (isWord(token, 'OUTFILE') && before === 'INTO') {
      throw exception(48, 'NOT_IMPLEMENTED', 'INTO OUTFILE is not allowed: the answer is the result');
    }
    const isCalled =
      after === '(' || before === 'APPLY' || (before === '(' && tokens[at - 2]?.toUpperCase() === 'APPLY');
    if (nameOf(token) === 'file' && isCalled) {
      throw exception(497, 'ACCESS_DENIED', 'Not enough privileges: nothing is read but the store');
    }
  });
  const format = tokens.findLastIndex((token) => isWord(token, 'FORMAT'));
  return { sql, format: format < 0 ? null : formatAt(tokens, format) };
}

function isWord(token: string, word: string): boolean {
  return token.toUpperCase() === word;
}

/** An identifier may stand in quotes. */
function nameOf(token: string): string {
  return /^[`"]/.test(token) ? token.slice(1, -1).replaceAll(/\\(.)/g, '$1') : token;
}

/** `FORMAT x` ends a statement, before or after its SETTINGS; anywhere else it is a name. */
function formatAt(tokens: readonly string[], at: number): string | null {
  const [name, next] = tokens.slice(at + 1, at + 3);
  const isLast = next === undefined || isWord(next, 'SETTINGS');
  return name !== undefined && /^\w+$/.test(name) && isLast ? name : null;
}
