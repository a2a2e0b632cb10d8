import { exception } from '../../platform/clickhouse/clickhouse-exception.ts';
import { HIDDEN_SYSTEM_TABLES, isDeniedCall, KEPT_SETTINGS, QUERY_SETTING, READS } from './statement-rules.ts';

/** A statement that only reads, in ClickHouse's own spelling, without its FORMAT clause. */
export interface InspectedStatement {
  sql: string;
  /** The format of its FORMAT clause; null without one. */
  format: string | null;
}

interface Token {
  text: string;
  /** Without the quotes of an identifier. */
  name: string;
  at: number;
}

const TOKEN = /'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*"|[A-Za-z_][A-Za-z0-9_]*|[^\s]/gs;

/**
 * The one guard of `query` and `serve`, for an embedded store and for a server: refuses statements that do more than read,
 * that read or write a file or connect to another host, and settings that would. `formatted` is a statement as ClickHouse's
 * `formatQuerySingleLine` spells it: one statement, no comments, texts in single quotes. Execute this spelling.
 * `isEmbedded`: refuses tables of `system` by name that a server's grants govern; row policies hide them as well.
 */
export function inspectStatement(formatted: string, { isEmbedded = false } = {}): InspectedStatement {
  const sql = formatted.trim();
  const tokens = tokensOf(sql);
  if (!READS.has(tokens[0]?.text.toUpperCase() ?? '')) {
    throw exception(164, 'READONLY', `Only read queries are allowed, not ${tokens[0]?.text ?? 'nothing'}`);
  }
  tokens.forEach((_, at) => {
    if (isEmbedded) refuseSystemTable(tokens, at);
    refuseClause(tokens, at);
    refuseCall(tokens, at);
    refuseSetting(tokens, at);
  });
  return withoutFormat(sql, tokens);
}

function tokensOf(sql: string): Token[] {
  return [...sql.matchAll(TOKEN)].map(({ 0: text, index }) => ({
    text,
    name: /^[`"]/.test(text) ? text.slice(1, -1).replaceAll(/\\(.)/g, '$1') : text,
    at: index,
  }));
}

function refuseClause(tokens: readonly Token[], at: number): void {
  if (isWord(tokens[at], 'OUTFILE') && isWord(tokens[at - 1], 'INTO')) {
    throw exception(48, 'NOT_IMPLEMENTED', 'INTO OUTFILE is not allowed: the answer is the result');
  }
  if (isWord(tokens[at], 'PARALLEL') && isWord(tokens[at + 1], 'WITH')) {
    throw exception(48, 'NOT_IMPLEMENTED', 'PARALLEL WITH is not allowed: send one query at a time');
  }
  const isInsert = isWord(tokens[at], 'INSERT') && isWord(tokens[at + 1], 'INTO');
  if (isInsert) throw exception(164, 'READONLY', 'Only read queries are allowed, not INSERT');
}

function refuseSystemTable(tokens: readonly Token[], at: number): void {
  if (tokens[at].text !== '.' || tokens[at - 1]?.name !== 'system') return;
  const table = tokens[at + 1]?.name ?? '';
  if (!HIDDEN_SYSTEM_TABLES.includes(table)) return;
  throw exception(497, 'ACCESS_DENIED', `Not enough privileges: system.${table} is about the machine, not the store`);
}

function refuseCall(tokens: readonly Token[], at: number): void {
  const [before, beforeThat] = [tokens[at - 1], tokens[at - 2]];
  const isApplied = isWord(before, 'APPLY') || (before?.text === '(' && isWord(beforeThat, 'APPLY'));
  if (!isApplied && tokens[at + 1]?.text !== '(') return;
  const { name, text } = tokens[at];
  if (text.startsWith("'") || !isDeniedCall(name)) return;
  throw exception(497, 'ACCESS_DENIED', `Not enough privileges: ${name}() reaches beyond the store`);
}

function refuseSetting(tokens: readonly Token[], at: number): void {
  const { name, text } = tokens[at];
  const isAssigned = tokens[at + 1]?.text === '=' && !text.startsWith("'");
  if (!isAssigned || !(isKeptSetting(name) || name === 'readonly')) return;
  if (!tokens.slice(0, at).some((token) => isWord(token, 'SETTINGS') || isWord(token, 'EXPLAIN'))) return;
  throw settingNotAllowedError(name);
}

/** Returns whether no client may set it, in a statement or beside one. */
export function isKeptSetting(name: string): boolean {
  return (KEPT_SETTINGS as readonly string[]).includes(name) || name === QUERY_SETTING;
}

export function settingNotAllowedError(name: string): Error {
  return exception(452, 'SETTING_CONSTRAINT_VIOLATION', `Setting ${name} should not be changed`);
}

function isWord(token: Token | undefined, word: string): boolean {
  return token?.text.toUpperCase() === word;
}

/** Splits off a `FORMAT x` at the end of a statement, before or after its SETTINGS; anywhere else it is a name. */
function withoutFormat(sql: string, tokens: readonly Token[]): InspectedStatement {
  const at = tokens.findLastIndex((token) => isWord(token, 'FORMAT'));
  const [clause, format, next] = at < 0 ? [] : tokens.slice(at, at + 3);
  const isLast = next === undefined || isWord(next, 'SETTINGS');
  if (clause === undefined || format === undefined || !/^\w+$/.test(format.name) || !isLast || at === 0) {
    return { sql, format: null };
  }
  const rest = next === undefined ? '' : sql.slice(next.at);
  return { sql: `${sql.slice(0, clause.at)}${rest}`.trim(), format: format.name };
}
