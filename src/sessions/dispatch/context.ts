import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import type { PseudonymKey } from '../../rating/subscribers.ts';
import type { Announcement } from '../protocol/dispatch-messages.ts';
import type { DispatchRefusal } from '../protocol/refusal.ts';
import type { DispatchStore } from './dispatch-store.ts';
import type { ProxyControl } from './proxies/proxy-control.ts';
import type { ProxyRegistry } from './proxies/proxy-registry.ts';
import type { ReportOutcomes } from './reports/report-outcomes.ts';

/** How sessions of an application are given. */
export interface SessionTerms {
  /** Sponsored octets of one grant. */
  grantOctets: number;
  atCap: Announcement['atCap'];
}

/** How long things may take. */
export interface Patience {
  tokenMs: number;
  /** How old a sign of life may be for a proxy to be given sessions. */
  staleTimeoutMs: number;
  /** After so long without one its sessions are over. */
  lostTimeoutMs: number;
  /** After so long with neither a token nor a report a session is over. */
  idleTimeoutMs: number;
  /** So long after an acknowledged end the engine has counted what was never reported. */
  releaseDelayMs: number;
  /** A proxy's clock is warned of when it is off by more. */
  warnClockSkewMs: number;
  /** And beyond this the proxy is given no sessions; times of reports may be off by it. */
  maxClockSkewMs: number;
}

/** What is bounded by number. */
export interface SessionLimits {
  /** Sessions of a subscriber that are open or not settled. */
  perSubscriber: number;
  /** Sponsored octets that a session may use past its cap: what passes while its connections close. */
  overshootOctets: number;
}

/** What the steps of the dispatch server work with. */
export interface DispatchContext {
  catalogue: Catalogue;
  store: DispatchStore;
  proxies: ProxyRegistry;
  control: ProxyControl;
  clock: Clock;
  random: () => number;
  pseudonymKey: PseudonymKey;
  termsOf: (applicationId: string) => SessionTerms;
  patience: Patience;
  sessionLimits: SessionLimits;
  /** Counts what became of reports, for metrics. */
  reportOutcomes: ReportOutcomes;
  logger: Logger;
}

/** An expected outcome: no session, no renewal, no answer, and why. */
export interface Refused {
  refusal: DispatchRefusal;
  detail?: string;
  retryAfterMs?: number;
}

export function isRefused(outcome: object): outcome is Refused {
  return 'refusal' in outcome && outcome.refusal !== undefined;
}
