import type { Registry } from 'prom-client';
import type { Health } from '../../../platform/http/health.ts';
import type { HttpLimits, RequestRate } from '../../../platform/http/http-limits-schema.ts';
import type { Accounts } from '../accounts/accounts.ts';
import type { IdentityVerifier } from '../accounts/identity.ts';
import type { DispatchContext } from '../context.ts';

/** What requests are counted by. */
type RateLimited =
  | 'perSubscriber'
  | 'perAddress'
  | 'publicPerAddress'
  | 'unauthenticatedPerAddress'
  | 'perProxy'
  | 'perOperator';

export interface HttpOptions {
  context: DispatchContext;
  identity: IdentityVerifier;
  accounts: Pick<Accounts, 'forget' | 'verify' | 'subscribersPerAccount' | 'unavailable'>;
  health: Health;
  operatorSecret: string;
  heartbeatIntervalMs: number;
  rateLimits: Readonly<Record<RateLimited, RequestRate>>;
  limits: HttpLimits;
  /** Addresses of reverse proxies whose `x-forwarded-for` is trusted. */
  trustedProxies: readonly string[];
  /** With `ca` and `requestCert`, proxies may prove themselves by client certificates; terminals have none. */
  tls?: { cert: string; key: string; ca?: string; requestCert?: true; rejectUnauthorized?: false } | undefined;
  /** Whether it is known who is suspended and what quotas are used; absent: it is. */
  isStarted?: () => boolean;
  /** Is given the registry of the server's metrics. */
  onMetrics?: (registry: Registry) => void;
}
