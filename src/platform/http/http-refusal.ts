/** Why an HTTP server refuses a request before any route looks at it, with the status of each. */
export const HTTP_REFUSALS = {
  invalid_request: [400, 'the request is not of the documented shape'],
  path_unknown: [404, 'there is no such path'],
  method_not_allowed: [405, 'the path takes other methods, which the header Allow names'],
  request_timeout: [408, 'the request did not arrive in time'],
  body_too_large: [413, 'the body is larger than this path takes'],
  url_too_long: [414, 'the URL is longer than this server takes'],
  media_type_unsupported: [415, 'the body is not application/json'],
  rate_limited: [429, 'too many requests of this subscriber, this proxy, this operator or this address'],
  headers_too_long: [431, 'the headers are longer than this server takes'],
  internal_error: [500, 'the request could not be carried out; the log of the server says why'],
} as const satisfies Record<string, readonly [number, string]>;

export type HttpRefusal = keyof typeof HTTP_REFUSALS;

/** Body of every refusal. */
export interface RefusalBody {
  reason: string;
  message: string;
  retryAfterMs?: number | undefined;
}

export const MAX_MESSAGE_LENGTH = 1000;

/** Returns the status and the body of a refusal. */
export function httpRefusal(reason: HttpRefusal, detail?: string): { status: number; body: RefusalBody } {
  const [status, meaning] = HTTP_REFUSALS[reason];
  const message = detail === undefined ? meaning : `${meaning}: ${detail}`;
  return { status, body: { reason, message: message.slice(0, MAX_MESSAGE_LENGTH) } };
}
