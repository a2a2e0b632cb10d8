import { type Catalogue, type FurtherQuota, type Plan, periodStartDay } from '../../../rating/catalogue.ts';
import type { DispatchContext } from '../context.ts';
import { type DispatchSession, reservedOctets } from '../dispatch-session.ts';
import { provisionalUse } from './quota-account.ts';
import type { QuotaState } from './remaining-quota.ts';

/** A plan's own quota, or a further one: what a subscriber has of it is kept under its id. */
type CountedQuota = Pick<FurtherQuota, 'id' | 'period' | 'timeZone' | 'quotaOctets'>;

/**
 * Returns a subscriber's current quotas under a plan: its own, and the further ones that count it now. With `except`, without
 * what is reserved for that session.
 */
export function quotaStatesOf(
  { catalogue, store, clock }: Pick<DispatchContext, 'catalogue' | 'store' | 'clock'>,
  plan: Plan,
  subscriber: string,
  except?: string,
): QuotaState[] {
  const nowMs = clock.nowMs();
  return quotasCounting(catalogue, plan, nowMs).map((quota) => {
    const periodStart = periodStartDay(nowMs, quota.period, quota.timeZone);
    const others = planIdsOf(catalogue, quota.id)
      .flatMap((planId) => store.liveSessions(subscriber, planId))
      .filter(({ sessionId }) => sessionId !== except);
    return {
      quotaOctets: quota.quotaOctets,
      usedOctets: provisionalUse(store.account(subscriber, quota.id), periodStart),
      reservedOctets: others.reduce((sum, session) => sum + reservedOctets(session), 0),
    };
  });
}

/**
 * Returns the plan's own quota, and the further ones that count its records of an instant. Quotas by account are none of them: whose account
 * a subscriber is of is known to flow records alone.
 */
export function quotasCounting({ furtherQuotas }: Catalogue, plan: Plan, timeMs: number): CountedQuota[] {
  const further = plan.furtherQuotas
    .map((index) => furtherQuotas[index])
    .filter(({ per }) => per === 'subscriber')
    .filter(({ effectiveFromMs, effectiveToMs }) => timeMs >= effectiveFromMs && timeMs < effectiveToMs);
  return [plan, ...further];
}

/** Returns the ids of the plans that count in a quota, by the id of a plan or of a further quota. */
export function planIdsOf({ plans, furtherQuotas }: Catalogue, quotaId: string): string[] {
  if (furtherQuotas.length === 0) return [quotaId];
  const counting = plans.filter(
    ({ id, furtherQuotas: own }) => id === quotaId || own.some((index) => furtherQuotas[index].id === quotaId),
  );
  return [...new Set([quotaId, ...counting.map(({ id }) => id)])];
}

/** The plan version that a session was given under; undefined when the catalogue has it no more. */
export function planOf({ catalogue }: Pick<DispatchContext, 'catalogue'>, session: DispatchSession): Plan | undefined {
  return catalogue.plans.find(({ id, version }) => id === session.planId && version === session.planVersion);
}
