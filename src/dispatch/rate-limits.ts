import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Refused } from './context.ts';

export interface RateLimit {
  requests: number;
  perMs: number;
}

export interface RateLimits {
  /** By who an identity assertion has proven the terminal to be. */
  ofSubscriber(request: FastifyRequest, subscriber: string): Promise<Refused | null>;
  /** By where a request comes from; of IPv6 by the /64 that a terminal has. */
  ofAddress(request: FastifyRequest): Promise<Refused | null>;
}

const subscriberOf = new WeakMap<FastifyRequest, string>();

/**
 * Counts requests. A subscriber's are counted by proven identity: anybody could use up the share of a number that is only
 * claimed. The plugin has to be registered.
 */
export function rateLimits(
  server: FastifyInstance,
  { perSubscriber, perAddress }: { perSubscriber: RateLimit; perAddress: RateLimit },
): RateLimits {
  const bySubscriber = server.createRateLimit({
    max: perSubscriber.requests,
    timeWindow: perSubscriber.perMs,
    keyGenerator: (request) => subscriberOf.get(request) ?? '',
  });
  const byAddress = server.createRateLimit({ max: perAddress.requests, timeWindow: perAddress.perMs });
  const outcome = (limit: Awaited<ReturnType<typeof byAddress>>): Refused | null =>
    !limit.isAllowed && limit.isExceeded ? { refusal: 'rate_limited', retryAfterMs: Math.max(1, limit.ttl) } : null;
  return {
    async ofSubscriber(request, subscriber) {
      subscriberOf.set(request, subscriber);
      return outcome(await bySubscriber(request));
    },
    ofAddress: async (request) => outcome(await byAddress(request)),
  };
}
