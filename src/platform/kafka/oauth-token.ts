import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { tlsFailure } from '../network/tls-failure.ts';
import type { TlsCertificates } from '../network/tls-files.ts';

export interface TokenOptions {
  /** https:// */
  tokenUrl: string;
  clientId: string;
  clientSecret: string;
  scope?: string | undefined;
  tls?: TlsCertificates;
}

/** No token could be had. */
class TokenError extends Error {
  override readonly name = 'TokenError';
  /** Kafka's client asks again by itself where this is true. */
  readonly retriable: boolean;

  constructor(message: string, retriable: boolean) {
    super(message);
    this.retriable = retriable;
  }
}

interface Token {
  value: string;
  /** Of the monotonic clock. From then on a new one is fetched. */
  usableUntilMs: number;
}

const FIELD = 'source.kafka.sasl';
const REQUEST_TIMEOUT_MS = 10_000;
/** Kafka's client authenticates again ten seconds before its session ends with the token, and needs another one by then. */
const LEAST_LEFT_MS = 15_000;
/** What RFC 6749 leaves open: a token without a lifetime. */
const DEFAULT_LIFETIME_S = 300;

/**
 * Fetches tokens by the client credentials grant (RFC 6749, 4.4) and gives each out until a fifth of its life is left, or 15
 * seconds. Who asks while one is being fetched gets the same.
 */
export function tokenProvider(
  options: TokenOptions,
  nowMs = () => performance.now(),
): () => Promise<{ value: string }> {
  let token: Token | null = null;
  let fetching: Promise<Token> | null = null;
  return async () => {
    if (token !== null && nowMs() < token.usableUntilMs) return { value: token.value };
    fetching ??= fetchToken(options, nowMs()).finally(() => {
      fetching = null;
    });
    token = await fetching;
    return { value: token.value };
  };
}

async function fetchToken(options: TokenOptions, askedAtMs: number): Promise<Token> {
  const { status, body } = await post(options);
  const { access_token: value, expires_in: lifetimeS = DEFAULT_LIFETIME_S, error } = jsonOf(body);
  if (status !== 200 || typeof value !== 'string' || value === '') {
    // Of the answer only the protocol's own word is shown: the rest may hold anything.
    const why = typeof error === 'string' && /^\w{1,40}$/.test(error) ? `, ${error}` : '';
    const remedy = `see ${FIELD}.clientId, its secret and ${FIELD}.scope`;
    throw new TokenError(`${options.tokenUrl}: gives no token (HTTP ${status}${why}); ${remedy}`, status >= 500);
  }
  const lifetimeMs = Number(lifetimeS) * 1000;
  return { value, usableUntilMs: askedAtMs + lifetimeMs - Math.max(LEAST_LEFT_MS, lifetimeMs / 5) };
}

function post({
  tokenUrl,
  clientId,
  clientSecret,
  scope,
  tls,
}: TokenOptions): Promise<{ status: number; body: string }> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    ...(scope !== undefined && { scope }),
  }).toString();
  const login = Buffer.from(`${formEncoded(clientId)}:${formEncoded(clientSecret)}`).toString('base64');
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => {
      const refusal = tlsFailure(cause, `${FIELD}.tls`);
      reject(new TokenError(`${tokenUrl}: ${refusal ?? `does not answer: ${cause.message}`}`, refusal === null));
    };
    const asked = request(tokenUrl, {
      method: 'POST',
      timeout: REQUEST_TIMEOUT_MS,
      headers: {
        authorization: `Basic ${login}`,
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
      },
      ...tls,
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer for ${REQUEST_TIMEOUT_MS / 1000} s`)));
    asked.on('error', fail);
    asked.on('response', (answer) => {
      text(answer).then((body) => resolve({ status: answer.statusCode ?? 0, body }), fail);
    });
    asked.end(form);
  });
}

/** As RFC 6749, 2.3.1 wants the two parts of the login. */
function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}

function jsonOf(body: string): Record<string, unknown> {
  try {
    const data: unknown = JSON.parse(body);
    return typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
