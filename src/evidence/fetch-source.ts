import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Agent, type Dispatcher, request } from 'undici';
import { limitedBytes } from '../platform/http/limited-text.ts';
import { tlsFailure } from '../platform/network/tls-failure.ts';
import { readTlsFiles, type TlsCertificates } from '../platform/network/tls-files.ts';
import { ENGINE_VERSION } from '../platform/package-paths.ts';
import type { Feed } from './evidence-config-schema.ts';
import type { GuardRefusal } from './feed-guards.ts';

/** A list that could not be had. */
export class FeedSourceError extends Error {
  override readonly name = 'FeedSourceError';
  readonly code: 'feed_unreachable' | 'feed_timeout' | 'feed_status' | 'feed_redirect' | 'feed_unreadable';
  readonly canRetry: boolean;

  constructor(
    code: FeedSourceError['code'],
    message: string,
    { canRetry, cause }: { canRetry: boolean; cause?: unknown },
  ) {
    super(message, { cause });
    this.code = code;
    this.canRetry = canRetry;
  }
}

export type FetchedList = { bytes: Buffer; refusal?: undefined } | { bytes?: undefined; refusal: GuardRefusal };

const MAX_REDIRECTS = 5;
const REDIRECTS = [301, 302, 303, 307, 308];

/**
 * Reads a feed's list from its file, or by HTTPS with at most five redirects, each to an https address; no credentials, cookies or
 * client certificates are sent to where a redirect leads. Refuses a list that is larger than the feed's limit. Rejects with a
 * FeedSourceError, or a ConfigError of its certificates.
 */
export async function fetchSource({ source, guards }: Pick<Feed, 'source' | 'guards'>): Promise<FetchedList> {
  const { url, file = '', timeoutMs, tls = {} } = source;
  const certificates = readTlsFiles(tls, 'source.tls');
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const bytes =
      url === undefined
        ? await readListFile(file, guards.maxBytes)
        : await download(new URL(url), certificates, guards.maxBytes, signal);
    if (bytes !== null) return { bytes };
    const message = `${sourceName(source)} has more than ${guards.maxBytes} bytes (guards.maxBytes): check the source, or raise the limit`;
    return { refusal: { guard: 'list_size', message } };
  } catch (cause) {
    throw cause instanceof FeedSourceError ? cause : sourceError(source, signal, cause);
  }
}

async function readListFile(file: string, maxBytes: number): Promise<Buffer | null> {
  // What is no file, such as a pipe, may never end.
  if ((await stat(file)).isFile()) return limitedBytes(createReadStream(file), maxBytes);
  throw new FeedSourceError('feed_unreadable', `${file}: is no regular file; check source.file`, { canRetry: false });
}

/** The source as messages, parts and the log name it: without the query of a URL, which may hold a key. */
export function sourceName({ url, file = '' }: Feed['source']): string {
  return url === undefined ? file : shownUrl(new URL(url));
}

async function download(
  url: URL,
  { cert, key, ...authorities }: TlsCertificates,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer | null> {
  const own = cert === undefined || key === undefined ? {} : { cert, key };
  let at = url;
  for (let redirects = 0; ; redirects++) {
    const dispatcher = new Agent({ connect: { ...authorities, ...(at.origin === url.origin && own) } });
    try {
      const response = await ask(at, dispatcher, signal);
      if (!REDIRECTS.includes(response.statusCode)) return await bodyOf(at, response, maxBytes);
      at = redirectOf(at, response, redirects);
    } finally {
      await dispatcher.destroy();
    }
  }
}

/** undici follows no redirect, uses no proxy and undoes no compression, unless it is asked to. */
function ask(url: URL, dispatcher: Agent, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
  const headers = { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': `zerorate/${ENGINE_VERSION}` };
  return request(url, { headers, dispatcher, signal });
}

function redirectOf(from: URL, { statusCode, headers }: Dispatcher.ResponseData, redirects: number): URL {
  const location = String(headers.location ?? '');
  const refuse = (why: string) =>
    new FeedSourceError('feed_redirect', `${shownUrl(from)} answers with a redirect (${statusCode}) ${why}`, {
      canRetry: false,
    });
  if (!URL.canParse(location, from.href)) throw refuse('that names no address; check source.url');
  const to = new URL(location, from.href);
  if (to.protocol !== 'https:')
    throw refuse(`to ${shownUrl(to)}, which is not https; name an https address of the list`);
  if (to.username !== '' || to.password !== '') throw refuse('to an address with a user or password in it');
  if (redirects >= MAX_REDIRECTS) throw refuse(`after ${MAX_REDIRECTS} others; name the last address as source.url`);
  return to;
}

async function bodyOf(
  url: URL,
  { statusCode, headers, body }: Dispatcher.ResponseData,
  maxBytes: number,
): Promise<Buffer | null> {
  if (statusCode !== 200) {
    const canRetry = statusCode >= 500 || statusCode === 429;
    const advice = canRetry ? 'fetch again later' : 'check source.url';
    throw new FeedSourceError('feed_status', `${shownUrl(url)} answers with status ${statusCode}; ${advice}`, {
      canRetry,
    });
  }
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') {
    const message = `${shownUrl(url)} answers with content-encoding ${encoding}, which was not asked for; name a list that is not compressed`;
    throw new FeedSourceError('feed_status', message, { canRetry: false });
  }
  return limitedBytes(body, maxBytes);
}

function sourceError(source: Feed['source'], signal: AbortSignal, cause: unknown): unknown {
  if (!(cause instanceof Error && 'code' in cause) && !signal.aborted) return cause;
  const name = sourceName(source);
  if (signal.aborted) {
    const message = `${name} has not answered in full within ${source.timeoutMs} ms (source.timeoutMs); fetch again later`;
    return new FeedSourceError('feed_timeout', message, { canRetry: true, cause });
  }
  const { message } = cause as Error;
  if (source.url === undefined) {
    const what = `${name}: cannot be read: ${message}; check source.file`;
    return new FeedSourceError('feed_unreadable', what, { canRetry: false, cause });
  }
  const tls = tlsFailure(cause, 'source.tls');
  const what = `${name}: cannot be fetched: ${tls ?? `${message}; fetch again later`}`;
  return new FeedSourceError('feed_unreachable', what, { canRetry: tls === null, cause });
}

function shownUrl({ protocol, host, pathname }: URL): string {
  return `${protocol}//${host}${pathname}`;
}
