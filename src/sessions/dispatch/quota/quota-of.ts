import { type Plan, periodStartDay } from '../../../rating/catalogue.ts';
import type { DispatchContext } from '../context.ts';
import { type DispatchSession, reservedOctets } from '../dispatch-session.ts';
import { provisionalUse } from './quota-account.ts';
import type { QuotaState } from './remaining-quota.ts';

/** Returns a subscriber's current quota under a plan. With `except`, without what is reserved for that session. */
export function quotaStateOf(
  { store, clock }: Pick<DispatchContext, 'store' | 'clock'>,
  plan: Plan,
  subscriber: string,
  except?: string,
): QuotaState {
  const periodStart = periodStartDay(clock.nowMs(), plan.period, plan.timeZone);
  const others = store.liveSessions(subscriber, plan.id).filter(({ sessionId }) => sessionId !== except);
  return {
    quotaOctets: plan.quotaOctets,
    usedOctets: provisionalUse(store.account(subscriber, plan.id), periodStart),
    reservedOctets: others.reduce((sum, session) => sum + reservedOctets(session), 0),
  };
}

/** The plan version that a session was given under; undefined when the catalogue has it no more. */
export function planOf({ catalogue }: Pick<DispatchContext, 'catalogue'>, session: DispatchSession): Plan | undefined {
  return catalogue.plans.find(({ id, version }) => id === session.planId && version === session.planVersion);
}
