import { randomBytes, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { answerAsClickHouse, summaryOf } from '../../platform/clickhouse/clickhouse-answer.ts';
import { exception, toHttpException } from '../../platform/clickhouse/clickhouse-exception.ts';
import { readRequest } from '../../platform/clickhouse/clickhouse-request.ts';
import { compressedBlocks } from './compressed-blocks.ts';
import type { ReadOnlyEngine, StreamedAnswer } from './read-only-engine.ts';

/** Content types of the formats; all others are binary. */
const CONTENT_TYPES: readonly [RegExp, string][] = [
  [/^JSON(Compact)?(Strings)?EachRow|^NDJSON|^JSONLines/, 'application/x-ndjson; charset=UTF-8'],
  [/^JSON/, 'application/json; charset=UTF-8'],
  [/^CSV/, 'text/csv; charset=UTF-8'],
  [/^(TSV|TabSeparated)/, 'text/tab-separated-values; charset=UTF-8'],
  [/^(Pretty|Vertical|Values|Markdown|LineAsString|Template|CustomSeparated|SQLInsert)/, 'text/plain; charset=UTF-8'],
];

/** Higher levels cost more time than they save on a loopback interface. */
const GZIP_LEVEL = 1;

/** Below this size an answer has its summary and its fault in the head; a longer one is sent while it is computed. */
const HELD_BYTES = 1 << 20;
/** Clients that name this protocol version or a later one read Native with more than the engine writes, and do not check what they get. */
const UNSUPPORTED_PROTOCOL_VERSION = 54_454;
const TAG_BYTES = 8;

/** Answers one request of ClickHouse's HTTP interface, its faults included. A client that disconnects cancels its query. */
export async function answerQuery(
  engine: ReadOnlyEngine,
  request: IncomingMessage,
  url: URL,
  response: ServerResponse,
): Promise<void> {
  const left = new AbortController();
  response.once('close', () => left.abort(exception(394, 'QUERY_WAS_CANCELLED', 'The client left')));
  await answerAsClickHouse(engine, url, response, async () => {
    const { data, ...query } = await readRequest(request, url);
    const sql = data.length === 0 ? query.sql : `${query.sql}\n${data.toString('utf8')}`;
    const answer = await engine.stream({ ...query, sql }, left.signal);
    response.setHeader('X-ClickHouse-Format', answer.format);
    response.setHeader('Content-Type', contentTypeOf(answer.format));
    response.setHeader('Vary', 'Accept-Encoding');
    const isHeld = isBlocks(url) || url.searchParams.get('wait_end_of_query') === '1';
    await (isHeld ? sendWhenWhole : send)(engine, request, url, response, answer);
  });
}

async function send(
  engine: ReadOnlyEngine,
  request: IncomingMessage,
  url: URL,
  response: ServerResponse,
  answer: StreamedAnswer,
): Promise<void> {
  const bytes = encoded(answer, url)[Symbol.asyncIterator]();
  const held: Buffer[] = [];
  let length = 0;
  let next = await bytes.next();
  for (; next.done !== true && length < HELD_BYTES; next = await bytes.next()) {
    held.push(next.value);
    length += next.value.length;
  }
  const summary = answer.summary();
  if (next.done === true && summary !== null) response.setHeader('X-ClickHouse-Summary', summaryOf(summary));

  const tag = randomBytes(TAG_BYTES).toString('hex');
  response.setHeader('X-ClickHouse-Exception-Tag', tag);
  let isBroken = false;
  async function* body(): AsyncGenerator<Buffer> {
    yield* held;
    try {
      for (; next.done !== true; next = await bytes.next()) yield next.value;
    } catch (error) {
      isBroken = true;
      yield faultInBody(toHttpException(error, engine.version).body, tag);
    } finally {
      await bytes.return?.(undefined);
    }
  }
  const isPacked = length > 0 && takesGzip(request, url);
  if (isPacked) response.setHeader('Content-Encoding', 'gzip');
  const stages = isPacked ? [Readable.from(body()), createGzip({ level: GZIP_LEVEL })] : [Readable.from(body())];
  await pipeline([...stages, response], { end: false }).catch(() => response.destroy());
  // A missing end is the one sign of a fault that every HTTP client recognises. The written part is sent first.
  if (isBroken) response.socket?.end();
  else response.end();
}

/** Returns a fault after a part of the answer, as ClickHouse 25.11 and later write it. */
function faultInBody(message: string, tag: string): Buffer {
  const text = `${message.trimEnd()}\n`;
  return Buffer.from(`\r\n__exception__\r\n${tag}\r\n${text}${Buffer.byteLength(text)} ${tag}\r\n__exception__\r\n`);
}

/** Sends nothing before the query is done: its fault comes in the head, however long the answer is. */
async function sendWhenWhole(
  engine: ReadOnlyEngine,
  request: IncomingMessage,
  url: URL,
  response: ServerResponse,
  answer: StreamedAnswer,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'zerorate-answer-'));
  const path = join(directory, randomUUID());
  try {
    await pipeline(answer.bytes, createWriteStream(path, { mode: 0o600 }));
    await send(engine, request, url, response, { ...answer, bytes: createReadStream(path) });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function encoded({ bytes, format }: StreamedAnswer, url: URL): AsyncIterable<Buffer> {
  const version = Number(url.searchParams.get('client_protocol_version') ?? 0);
  if (format === 'Native' && version >= UNSUPPORTED_PROTOCOL_VERSION) {
    const remedy = 'ask for another format, or use a ClickHouse server as the store';
    throw exception(48, 'NOT_IMPLEMENTED', `Native for client_protocol_version ${version} is not supported: ${remedy}`);
  }
  return isBlocks(url) ? compressedBlocks(bytes) : bytes;
}

/**
 * Returns whether an answer is in compressed blocks. A client that reads them finds no fault among them, so such answers are
 * sent when they are complete.
 */
function isBlocks(url: URL): boolean {
  return url.searchParams.get('compress') === '1';
}

/** The one encoding that is written: every client reads it. */
function takesGzip({ headers }: IncomingMessage, url: URL): boolean {
  if (url.searchParams.get('enable_http_compression') === '0') return false;
  const encodings = String(headers['accept-encoding'] ?? '').split(',');
  return encodings.some((encoding) => /^\s*gzip\s*(;|$)/.test(encoding) && !/;\s*q=0(\.0*)?\s*$/.test(encoding));
}

function contentTypeOf(format: string): string {
  return CONTENT_TYPES.find(([formats]) => formats.test(format))?.[1] ?? 'application/byte-stream';
}
