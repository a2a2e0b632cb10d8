import * as oauth from 'oauth4webapi';
import { Agent, request } from 'undici';
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

/** Asks the token endpoint, by the certificates of its own. */
async function fetchToken(options: TokenOptions, askedAtMs: number): Promise<Token> {
  const { tokenUrl, clientId, clientSecret, scope, tls } = options;
  const server = { issuer: new URL(tokenUrl).origin, token_endpoint: tokenUrl };
  const client = { client_id: clientId };
  const dispatcher = new Agent({ connect: { ...tls } });
  try {
    const login = basicLogin(clientSecret);
    const parameters: Record<string, string> = scope === undefined ? {} : { scope };
    const response = await oauth
      .clientCredentialsGrantRequest(server, client, login, parameters, {
        signal: () => AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        [oauth.customFetch]: (url, init) => post(url, init, dispatcher),
      })
      .catch((cause: unknown) => {
        throw unanswered(tokenUrl, cause);
      });
    const answer = await oauth.processClientCredentialsResponse(server, client, response).catch((cause: unknown) => {
      throw refused(tokenUrl, response.status, cause);
    });
    const lifetimeMs = (answer.expires_in ?? DEFAULT_LIFETIME_S) * 1000;
    const usableUntilMs = askedAtMs + lifetimeMs - Math.max(LEAST_LEFT_MS, lifetimeMs / 5);
    return { value: answer.access_token, usableUntilMs };
  } finally {
    await dispatcher.close();
  }
}

/** Replaces fetch, which takes no certificates and refuses some ports. */
async function post(
  url: string,
  init: oauth.CustomFetchOptions<string, unknown>,
  dispatcher: Agent,
): Promise<Response> {
  const { headers, signal } = init;
  const answer = await request(url, {
    method: 'POST',
    body: String(init.body),
    headers,
    signal: signal ?? null,
    dispatcher,
  });
  const text = await answer.body.text();
  const contentType = String(answer.headers['content-type'] ?? '');
  const { statusCode: status } = answer;
  return new Response(text === '' ? null : readMembers(text), { status, headers: { 'content-type': contentType } });
}

/** What of the answer is read here. The rest is not to refuse a token, as an id_token that a scope of OpenID Connect brings. */
const MEMBERS = ['access_token', 'token_type', 'expires_in', 'error'];

function readMembers(text: string): string {
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return text;
    const read = Object.entries(answer).filter(([name, value]) => MEMBERS.includes(name) && value !== null);
    return JSON.stringify(Object.fromEntries(read));
  } catch {
    return text;
  }
}

/** RFC 6749, 2.3.1; letters, digits and `-_.*` as they are, for endpoints that do not decode them. */
function basicLogin(clientSecret: string): oauth.ClientAuth {
  return (_server, { client_id }, _body, headers) => {
    const login = Buffer.from(`${formEncoded(client_id)}:${formEncoded(clientSecret)}`).toString('base64');
    headers.set('authorization', `Basic ${login}`);
  };
}

function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}

function unanswered(tokenUrl: string, cause: unknown): TokenError {
  const refusal = tlsFailure(cause, `${FIELD}.tls`);
  const isLate = cause instanceof Error && cause.name === 'TimeoutError';
  const why = isLate ? `no answer for ${REQUEST_TIMEOUT_MS / 1000} s` : (cause as Error).message;
  return new TokenError(`${tokenUrl}: ${refusal ?? `does not answer: ${why}`}`, refusal === null);
}

/** Of the answer only the protocol's own word is shown: the rest may hold anything. */
function refused(tokenUrl: string, status: number, cause: unknown): TokenError {
  const error = cause instanceof oauth.ResponseBodyError ? cause.error : '';
  const why = /^\w{1,40}$/.test(error) ? `, ${error}` : '';
  const [, member] = /"response" body "(\w{1,40})"/.exec((cause as Error).message) ?? [];
  const isOther = cause instanceof oauth.UnsupportedOperationError;
  const wrong = isOther ? 'a token_type other than Bearer' : `no ${member} as RFC 6749 (5.1) has it`;
  const remedy =
    status === 200 && (isOther || member !== undefined)
      ? `its answer has ${wrong}: see the endpoint's own configuration`
      : `see ${FIELD}.clientId, its secret and ${FIELD}.scope`;
  return new TokenError(`${tokenUrl}: gives no token (HTTP ${status}${why}); ${remedy}`, status >= 500);
}
