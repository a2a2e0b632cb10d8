import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { zoneName } from '../../platform/clickhouse/zone-name.ts';
import type { AuditFault } from './invariants.ts';

/** Most faults of one kind that are reported. */
const SHOWN = 20;

/** The plans of all kept catalogues that are campaigns. */
const CAMPAIGNS =
  '(SELECT hash, plan.id AS plan_id, plan.version AS plan_version, plan.timeZone AS time_zone, ' +
  'plan.campaign.audience AS audience, plan.campaign.caps AS caps FROM (SELECT hash, arrayJoin(JSONExtract(document, ' +
  "'plans', 'Array(Tuple(id String, version UInt32, timeZone String, campaign Tuple(audience String, caps " +
  "Array(Tuple(per String, octets UInt64, money String)))))')) AS plan FROM catalogues) WHERE audience != '')";

/** The charges of campaigns, each with its batch: the first one of its log that ends at the charge or after it. */
const CHARGED =
  '(SELECT charge.*, batch.lane_sequence AS lane_sequence, batch.campaign_number AS campaign_number, batch.catalogue_hash AS hash FROM ' +
  '(SELECT lane, topic, partition, offset, plan_id, plan_version, subscriber, period_start, start_time FROM journal ' +
  `WHERE kind = 'charge' AND plan_id IN (SELECT plan_id FROM ${CAMPAIGNS})) AS charge ASOF INNER JOIN ` +
  '(SELECT lane, topic, partition, offset AS last_offset, lane_sequence, campaign_number, catalogue_hash FROM journal ' +
  "WHERE kind = 'batch' AND gap_reason = '') AS batch " +
  'ON charge.lane = batch.lane AND charge.topic = batch.topic AND charge.partition = batch.partition AND charge.offset <= batch.last_offset)';

/** The same with what their batch's catalogue says of the campaign. */
const OF_CAMPAIGNS = `(SELECT charged.*, campaign.* FROM ${CHARGED} AS charged INNER JOIN ${CAMPAIGNS} AS campaign USING (hash, plan_id, plan_version))`;

const PLACE = 'lane, lane_sequence, topic, partition, offset, plan_id';
const ORDER = `ORDER BY lane, lane_sequence, offset LIMIT ${SHOWN}`;

/** The last pause or resumption that the batch names is a pause. */
const PAUSED =
  `SELECT ${PLACE}, number FROM ${OF_CAMPAIGNS} AS charged ASOF INNER JOIN ` +
  "(SELECT number, campaign_id, kind AS decided FROM campaign_facts WHERE kind IN ('pause', 'resume')) AS pauses " +
  `ON charged.plan_id = pauses.campaign_id AND charged.campaign_number >= pauses.number WHERE decided = 'pause' ${ORDER}`;

/** A cap was reached in the charge's window, and the batch's catalogue has not raised it since. `zone`: the campaign's, in SQL. */
const overCap = (zone: string) =>
  `SELECT ${PLACE}, min(fact) AS number FROM (SELECT *, cap.per AS per, if(cap.octets > 0, 'octets', 'money') AS unit, ` +
  'if(cap.octets > 0, cap.octets, toUInt64(toDecimal128OrZero(cap.money, 6) * 1000000)) AS most, ' +
  `multiIf(per = 'day', toDate(toString(start_time, ${zone})), per = 'period', period_start, toDate(0)) AS started ` +
  `FROM ${OF_CAMPAIGNS} ARRAY JOIN caps AS cap) AS charged ` +
  'INNER JOIN (SELECT number AS fact, campaign_id AS plan_id, toString(cap_per) AS per, toString(cap_unit) AS unit, cap_limit, window_start AS started ' +
  "FROM campaign_facts WHERE kind = 'cap_reached') AS reached USING (plan_id, per, unit, started) " +
  `WHERE fact <= campaign_number AND cap_limit >= most GROUP BY ${PLACE} ${ORDER}`;

/** The last opt-in or opt-out that the batch names is no opt-in, or there is none: number 0. */
const OUTSIDE =
  `SELECT ${PLACE}, number FROM (SELECT * FROM ${OF_CAMPAIGNS} WHERE audience = 'opted-in') AS charged ASOF LEFT JOIN ` +
  "(SELECT number, campaign_id, subscriber, kind AS decided FROM campaign_facts WHERE kind IN ('opt_in', 'opt_out')) AS opts " +
  'ON charged.plan_id = opts.campaign_id AND charged.subscriber = opts.subscriber AND charged.campaign_number >= opts.number ' +
  `WHERE number = 0 OR decided != 'opt_in' ${ORDER}`;

/**
 * Checks that no batch charged a campaign that the facts it names keep from paying: a pause, a cap that was reached in the charge's
 * window, or a subscriber who had not opted in. Yields every reported fault.
 */
export async function* auditCampaigns(store: Store): AsyncGenerator<AuditFault> {
  yield* chargedAlthough(store, PAUSED, (number) => `was paused by fact ${number}`);
  yield* chargedAlthough(store, overCap(await readZones(store)), (number) => `had reached a cap by fact ${number}`);
  yield* chargedAlthough(store, OUTSIDE, (number) =>
    number === 0 ? 'the subscriber had not opted in to' : `the subscriber had opted out of by fact ${number}`,
  );
}

/** Resolves with the SQL that gives `time_zone` as ClickHouse knows it. */
async function readZones(store: Store): Promise<string> {
  const rows = await store.query<{ zone: string }>(`SELECT DISTINCT time_zone AS zone FROM ${CAMPAIGNS}`);
  if (rows.length === 0) return "'UTC'";
  const zones = rows.map(({ zone }) => zone);
  return `transform(time_zone, [${zones.map(literal).join(', ')}], [${zones.map(zoneName).join(', ')}], 'UTC')`;
}

/** A charge that a fact forbids. */
type Forbidden = Record<'lane' | 'topic' | 'plan_id', string> &
  Record<'lane_sequence' | 'partition' | 'offset' | 'number', number | string>;

async function* chargedAlthough(
  store: Store,
  sql: string,
  why: (number: number) => string,
): AsyncGenerator<AuditFault> {
  for (const row of await store.query<Forbidden>(sql)) {
    const charge = `${row.topic}-${row.partition} offset ${row.offset} is charged to campaign ${row.plan_id}`;
    const message = `${charge}, which ${why(Number(row.number))}`;
    yield { invariant: 'campaigns', lane: row.lane, laneSequence: Number(row.lane_sequence), message };
  }
}
