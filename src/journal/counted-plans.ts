import type { Store } from '../platform/clickhouse/store.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import { type CountedPlans, successionRefusals } from '../rating/catalogue/catalogue-succession-faults.ts';
import type { Catalogue, QuotaHolder, StatisticsPeriod } from '../rating/catalogue.ts';
import { KEPT_CATALOGUES } from './kept-catalogues.ts';

/** Returns what the counters in the journal count, by plan and group: as the newest catalogue has it that a batch was rated with. */
async function readCountedPlans(store: Store): Promise<CountedPlans> {
  const entriesOf = (list: 'plans' | 'quotas', owner: 'application' | 'sponsor', counters: string) =>
    `SELECT '${owner}' AS kind, entry.id AS id, argMax((entry.${owner}, entry.period, entry.timeZone, entry.per), first_used_at) AS counted FROM (` +
    `SELECT first_used_at, arrayJoin(JSONExtract(document, '${list}', 'Array(Tuple(id String, ${owner} String, period String, timeZone String, per String))')) AS entry ` +
    `FROM ${KEPT_CATALOGUES} WHERE hash IN (SELECT catalogue_hash FROM journal WHERE kind = 'batch')) WHERE entry.id IN (${counters}) GROUP BY entry.id`;
  const plans = entriesOf('plans', 'application', "SELECT plan_id FROM journal WHERE kind = 'charge' GROUP BY plan_id");
  const groups = entriesOf(
    'quotas',
    'sponsor',
    "SELECT replaceRegexpOne(arrayJoin(further_quotas.quota_id), ':account$', '') FROM journal WHERE kind = 'batch'",
  );
  type Counted = [owner: string, period: StatisticsPeriod, timeZone: string, per: QuotaHolder | ''];
  type Row = { kind: 'application' | 'sponsor'; id: string; counted: Counted };
  const rows = await store.query<Row>(`${plans} UNION ALL ${groups}`);
  return new Map(
    rows.map(({ kind, id, counted: [owner, period, timeZone, per] }) => {
      const ofGroup = { sponsor: owner, per: per === '' ? ('subscriber' as const) : per };
      return [id, { ...(kind === 'application' ? { application: owner } : ofGroup), period, timeZone }];
    }),
  );
}

/** Rejects with a ConfigError where a plan or a group of the catalogue cannot continue with the counters that it has in the journal. */
export async function requireSuccession(store: Store, catalogue: Catalogue): Promise<CountedPlans> {
  const counted = await readCountedPlans(store);
  const refusals = successionRefusals(catalogue, counted);
  if (refusals.length > 0) throw new ConfigError(refusals.join('\n'));
  return counted;
}
