import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { brotliCompress, constants, deflate, gzip } from 'node:zlib';
import { answerAsClickHouse, summaryOf } from '../platform/clickhouse-answer.ts';
import { exception } from '../platform/clickhouse-exception.ts';
import { readRequest } from '../platform/clickhouse-request.ts';
import { nativeOfRevision } from './native-revision.ts';
import type { Answer, ReadOnlyEngine } from './read-only-engine.ts';

/** Content types of the formats; all others are octets. */
const CONTENT_TYPES: readonly [RegExp, string][] = [
  [/^JSON(Compact)?(Strings)?EachRow|^NDJSON|^JSONLines/, 'application/x-ndjson; charset=UTF-8'],
  [/^JSON/, 'application/json; charset=UTF-8'],
  [/^CSV/, 'text/csv; charset=UTF-8'],
  [/^(TSV|TabSeparated)/, 'text/tab-separated-values; charset=UTF-8'],
  [/^(Pretty|Vertical|Values|Markdown|LineAsString|Template|CustomSeparated|SQLInsert)/, 'text/plain; charset=UTF-8'],
];

/** Dearer levels cost more time than a loopback interface saves. */
const ENCODERS: Readonly<Record<string, (body: Uint8Array) => Promise<Buffer>>> = {
  gzip: (body) => promisify(gzip)(body, { level: 1 }),
  deflate: (body) => promisify(deflate)(body, { level: 1 }),
  br: (body) => promisify(brotliCompress)(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
};

/** Answers one request of ClickHouse's HTTP interface, its faults included. */
export async function answerQuery(
  engine: ReadOnlyEngine,
  request: IncomingMessage,
  url: URL,
  response: ServerResponse,
): Promise<void> {
  await answerAsClickHouse(engine, url, response, async () => {
    if (url.searchParams.get('compress') === '1') {
      const remedy = 'compress=0, and Accept-Encoding for gzip, deflate or br';
      throw exception(48, 'NOT_IMPLEMENTED', `Blocks are not compressed one by one here: ask with ${remedy}`);
    }
    const { data, ...question } = await readRequest(request, url);
    const sql = data.length === 0 ? question.sql : `${question.sql}\n${data.toString('utf8')}`;
    const answer = await engine.ask({ ...question, sql });
    response.setHeader('X-ClickHouse-Format', answer.format);
    response.setHeader('X-ClickHouse-Summary', summaryOf(answer.result));
    response.setHeader('Content-Type', contentTypeOf(answer.format));
    await send(request, url, response, bodyOf(answer, url));
  });
}

function bodyOf({ result, format }: Answer, url: URL): Uint8Array {
  const revision = Number(url.searchParams.get('client_protocol_version') ?? 0);
  return format === 'Native' ? nativeOfRevision(result.bytes(), revision) : result.bytes();
}

async function send(request: IncomingMessage, url: URL, response: ServerResponse, body: Uint8Array): Promise<void> {
  response.setHeader('Vary', 'Accept-Encoding');
  const encoding = url.searchParams.get('enable_http_compression') === '0' ? null : encodingOf(request);
  if (encoding === null || body.length === 0) {
    response.end(body);
    return;
  }
  const encoded = await ENCODERS[encoding](body);
  response.setHeader('Content-Encoding', encoding);
  response.end(encoded);
}

/** The first of the client's encodings that is known here; its order is its preference. */
function encodingOf({ headers }: IncomingMessage): string | null {
  const asked = String(headers['accept-encoding'] ?? '').split(',');
  const names = asked
    .filter((encoding) => !/;\s*q=0(\.0*)?\s*$/.test(encoding))
    .map((encoding) => encoding.split(';')[0].trim());
  return names.find((name) => name in ENCODERS) ?? null;
}

function contentTypeOf(format: string): string {
  return CONTENT_TYPES.find(([formats]) => formats.test(format))?.[1] ?? 'application/octet-stream';
}
