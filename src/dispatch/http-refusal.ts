import type { FastifyReply } from 'fastify';
import { type Refusal, refusalSchema } from '../session-protocol/dispatch-messages.ts';
import { DISPATCH_REFUSALS, type DispatchRefusal } from '../session-protocol/refusal.ts';
import type { Refused } from './context.ts';

const STATUS: Readonly<Record<DispatchRefusal, number>> = {
  starting: 503,
  rate_limited: 429,
  invalid_request: 400,
  assertion_invalid: 401,
  assertion_expired: 401,
  assertion_mismatch: 401,
  unknown_application: 404,
  account_unverified: 403,
  account_bound: 409,
  sponsor_suspended: 403,
  no_plan: 403,
  quota_exhausted: 403,
  no_proxy: 503,
  session_unknown: 404,
  session_over: 409,
  token_invalid: 401,
};

/** For the documentation of a route: what it may be refused with, by status. */
export function refusalsOf(...reasons: readonly DispatchRefusal[]): Record<number, typeof refusalSchema> {
  const all: DispatchRefusal[] = ['starting', 'rate_limited', 'invalid_request', ...reasons];
  const statuses = new Set(all.map((reason) => STATUS[reason]));
  const describe = (status: number) =>
    all
      .filter((reason) => STATUS[reason] === status)
      .map((reason) => `\`${reason}\`: ${DISPATCH_REFUSALS[reason]}`)
      .join('; ');
  return Object.fromEntries([...statuses].map((status) => [status, refusalSchema.describe(describe(status))]));
}

/** Answers with the reason and its status. */
export function sendRefusal(reply: FastifyReply, { refusal, detail, retryAfterMs }: Refused, status = STATUS[refusal]) {
  const message = detail === undefined ? DISPATCH_REFUSALS[refusal] : `${DISPATCH_REFUSALS[refusal]}: ${detail}`;
  const body: Refusal = { reason: refusal, message, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  if (retryAfterMs !== undefined) void reply.header('retry-after', Math.ceil(retryAfterMs / 1000));
  return reply.code(status).type('application/json').send(body);
}
