import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { RequestRate } from '../../../platform/http/http-limits-schema.ts';
import type { Refused } from '../context.ts';

export interface RateLimits {
  /** By who an identity assertion has proven the terminal to be. */
  ofSubscriber(request: FastifyRequest, subscriber: string): Promise<Refused | null>;
}

const subscriberOf = new WeakMap<FastifyRequest, string>();

/**
 * Counts requests of subscribers, by proven identity: a number that is only claimed must not use up the rate of its subscriber.
 * Requests by address and by secret are counted before, by the guard of the server.
 */
export function rateLimits(
  server: FastifyInstance,
  { perSubscriber }: Readonly<Record<'perSubscriber', RequestRate>>,
): RateLimits {
  const bySubscriber = server.createRateLimit({
    max: perSubscriber.requests,
    timeWindow: perSubscriber.intervalMs,
    keyGenerator: (request) => subscriberOf.get(request) ?? '',
  });
  return {
    async ofSubscriber(request, subscriber) {
      subscriberOf.set(request, subscriber);
      const counted = await bySubscriber(request);
      const isExceeded = !counted.isAllowed && counted.isExceeded;
      return isExceeded ? { refusal: 'rate_limited', retryAfterMs: Math.max(1, counted.ttl) } : null;
    },
  };
}
