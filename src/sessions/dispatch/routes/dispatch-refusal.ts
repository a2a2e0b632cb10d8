import type { FastifyReply } from 'fastify';
import { documentedRefusals } from '../../../platform/http/documented-refusals.ts';
import { MAX_MESSAGE_LENGTH } from '../../../platform/http/http-refusal.ts';
import { type Refusal, refusalSchema } from '../../protocol/dispatch-messages.ts';
import { DISPATCH_REFUSALS, type DispatchRefusal } from '../../protocol/refusal.ts';
import type { Refused } from '../context.ts';

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
  evidence_not_in_force: 403,
  quota_exhausted: 403,
  quota_reserved: 429,
  too_many_sessions: 429,
  no_proxy: 503,
  session_unknown: 404,
  session_over: 409,
  token_invalid: 401,
};

/** For the documentation of a route: what it may be refused with, by status. */
export function refusalsOf(...reasons: readonly DispatchRefusal[]): Record<number, typeof refusalSchema> {
  return documentedRefusals(
    refusalSchema,
    reasons.map((reason) => [reason, STATUS[reason], DISPATCH_REFUSALS[reason]] as const),
  );
}

/** Answers with the reason and its status. */
export function sendRefusal(reply: FastifyReply, refused: Refused) {
  const { refusal, retryAfterMs } = refused;
  if (retryAfterMs !== undefined) void reply.header('retry-after', Math.ceil(retryAfterMs / 1000));
  return reply.code(STATUS[refusal]).type('application/json').send(refusalBody(refused));
}

/** Body of a refusal. */
export function refusalBody({ refusal, detail, retryAfterMs }: Refused): Refusal {
  const message = detail === undefined ? DISPATCH_REFUSALS[refusal] : `${DISPATCH_REFUSALS[refusal]}: ${detail}`;
  const waitMs = retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(retryAfterMs) };
  return { reason: refusal, message: message.slice(0, MAX_MESSAGE_LENGTH), ...waitMs };
}
