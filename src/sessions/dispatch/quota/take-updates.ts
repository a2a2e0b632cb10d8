import { isAccountCounter } from '../../../rating/catalogue/further-quotas.ts';
import type { QuotaUpdate } from '../../../rating/quota-updates.ts';
import type { DispatchContext } from '../context.ts';
import { type DispatchSession, over, withCap } from '../dispatch-session.ts';
import { announceAll } from '../proxies/announce.ts';
import { dayOf } from '../reports/take-reports.ts';
import { withUpdate } from './quota-account.ts';
import { planIdsOf, planOf, quotaStatesOf } from './quota-of.ts';
import { unusedQuota } from './remaining-quota.ts';

/** What came of one partition: the updates, and the offset to resume from. */
export interface UpdateBatch {
  partition: number;
  nextOffset: number;
  updates: readonly QuotaUpdate[];
}

/**
 * Keeps the engine's updates together with the offset that they were read up to, and closes sessions of subscribers whose
 * quota the engine says is used up: they are revoked, or continue at the subscriber's cost where the application wants that.
 */
export async function takeUpdates(context: DispatchContext, batch: UpdateBatch): Promise<void> {
  const { catalogue, store, clock } = context;
  const changed = await store.transaction(() => {
    const touched = new Map<string, QuotaUpdate>();
    for (const update of batch.updates) {
      const { subscriber, planId } = update;
      // Its pseudonym is an account's, of which no session is.
      if (isAccountCounter(planId) || store.isErased(subscriber)) continue;
      store.putAccount(subscriber, planId, withUpdate(store.account(subscriber, planId), update, dayOf(clock.nowMs())));
      touched.set(`${subscriber}|${planId}`, update);
    }
    store.putNextOffset(batch.partition, batch.nextOffset);
    return [...touched.values()].flatMap(({ subscriber, planId }) =>
      planIdsOf(catalogue, planId).flatMap((counting) =>
        store.liveSessions(subscriber, counting).flatMap((session) => closeIfSpent(context, session)),
      ),
    );
  });
  await announceAll(context, changed);
}

function closeIfSpent(context: DispatchContext, session: DispatchSession): DispatchSession[] {
  const plan = planOf(context, session);
  if (plan === undefined || session.state !== 'open') return [];
  if (unusedQuota(quotaStatesOf(context, plan, session.subscriber)) > 0) return [];
  const { atCap, usedSponsoredOctets, sponsoredOctetsCap } = session;
  if (atCap === 'subscriber_pays' && sponsoredOctetsCap <= usedSponsoredOctets) return [];
  const closed = atCap === 'stop' ? over(session, 'revoked', 'revoked') : withCap(session, usedSponsoredOctets);
  context.store.putSession(closed);
  return [closed];
}
