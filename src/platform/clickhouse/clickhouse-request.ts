import type { IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { exception } from './clickhouse-exception.ts';
import { hasSecondStatement, splitBody } from './clickhouse-statement.ts';

// Parameters of the HTTP interface that are not settings of the query.
const NOT_SETTINGS = new Set(
  (
    'query query_id database default_format user password quota_key role stacktrace compress decompress buffer_size ' +
    'wait_end_of_query session_id session_timeout session_check close_session client_protocol_version'
  ).split(' '),
);

/** One request of ClickHouse's HTTP interface. */
export interface ClickHouseRequest {
  sql: string;
  /** What the statement inserts; empty when it brings no data. */
  data: Buffer;
  database: string | null;
  /** The format of a result whose statement names none. */
  defaultFormat: string;
  /** Settings of this statement alone, and its parameters by their full name, `param_x`. */
  settings: [name: string, value: string][];
}

export async function readRequest(request: IncomingMessage, url: URL): Promise<ClickHouseRequest> {
  const parameters = url.searchParams;
  if (parameters.get('decompress') === '1') throw exception(48, 'NOT_IMPLEMENTED', 'decompress=1 is not supported');
  const body = await readBody(request);
  const query = parameters.get('query');
  const { sql, data } = query === null ? splitBody(body) : { sql: query, data: body };
  if (sql.trim() === '') throw exception(62, 'SYNTAX_ERROR', 'Empty query');
  if (hasSecondStatement(sql)) throw exception(62, 'SYNTAX_ERROR', 'Multi-statements are not allowed');
  return {
    sql,
    data,
    database: parameters.get('database') ?? header(request, 'x-clickhouse-database'),
    defaultFormat: parameters.get('default_format') ?? header(request, 'x-clickhouse-format') ?? 'TabSeparated',
    settings: [...parameters].filter(([name]) => !NOT_SETTINGS.has(name)),
  };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const type = header(request, 'content-type') ?? '';
  if (type.startsWith('multipart/')) throw exception(48, 'NOT_IMPLEMENTED', 'multipart bodies are not supported');
  const body = await buffer(request);
  const encoding = header(request, 'content-encoding') ?? 'identity';
  if (encoding === 'identity') return body;
  if (encoding === 'gzip') return promisify(gunzip)(body);
  throw exception(89, 'UNKNOWN_COMPRESSION_METHOD', `Unknown compression method ${encoding}`);
}

function header(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' ? value : null;
}
