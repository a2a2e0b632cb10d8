import type { Store } from './store.ts';

/** Who is suspended as of one numbered fact. */
export interface SuspensionFacts {
  sponsorIds: ReadonlySet<string>;
  /** The last fact that was taken into account; 0 before the first. */
  number: number;
}

/** What the store says of suspended sponsors now. Rejects with a StoreError. */
export async function readSuspensionFacts(store: Pick<Store, 'query'>): Promise<SuspensionFacts> {
  const rows = await store.query<{ sponsor: string; suspended: boolean; last: number }>(
    'SELECT sponsor_id AS sponsor, argMax(suspended, number) AS suspended, max(number) AS last ' +
      'FROM suspensions GROUP BY sponsor_id',
  );
  return {
    sponsorIds: new Set(rows.filter(({ suspended }) => suspended).map(({ sponsor }) => sponsor)),
    number: Math.max(0, ...rows.map(({ last }) => Number(last))),
  };
}
