import { memorySource, rawRecords, runEngine } from '../../engine/engine.fixture.ts';
import { Random } from '../../generator/random.ts';
import type { Row, Store } from '../../platform/clickhouse/store.ts';
import type { LogRecord } from '../../platform/kafka/log-record.ts';
import { CONTENT_TYPES, type FlowRecord } from '../../rating/flow-record.ts';
import type { Rules } from '../../rating/rules.ts';
import { TEST_CATALOGUE, testRecord } from '../../rating/traffic.fixture.ts';
import { parseDay } from '../calendar-day.ts';
import { proveValue, type SourceLog } from './booked-source.fixture.ts';
import { changedCatalogue, rulesOf } from './rating.fixture.ts';

export const BOOKED_AT_MS = Date.UTC(2026, 11, 2);
/** In the test catalogue, of application `any`. */
export const PREFIX = 'prefixes: [198.51.100.0/24, "2001:db8:1::/48"], ';
/** The prefix of application `any` was forgotten; its tag was not. */
export const MISSED = rulesOf(changedCatalogue([PREFIX, '']));
export const RIGHT = rulesOf(TEST_CATALOGUE);
const range = (from: string, to: string) => ({ fromDay: Number(parseDay(from)), toDay: Number(parseDay(to)) });
/** All of the traffic: the first week begins on a Monday in September. */
export const AUTUMN = range('2026-09-28', '2026-12-01');
export const NOVEMBER = range('2026-11-01', '2026-12-01');

/** Two partitions, and files of which the first continues after the second. */
export const LOGS: SourceLog[] = [
  logOf('flows', 0, traffic(1, 400)),
  logOf('flows', 1, traffic(2, 300)),
  logOf('a.ndjson', 0, traffic(3, 250), 'files'),
  logOf('b.ndjson', 0, traffic(4, 120), 'files'),
];

function logOf(topic: string, partition: number, records: LogRecord[], lane = `${topic}-${partition}`): SourceLog {
  return { log: { topic, partition, lane }, records };
}

/**
 * Records of few subscribers over two months, recognised in every way: some of them duplicates, some with faults, some without a sponsor. Each
 * seed has its own node.
 */
function traffic(seed: number, count: number): LogRecord[] {
  const random = new Random(seed);
  const ways: Partial<FlowRecord>[] = [
    { remoteIp: '198.51.100.7' },
    { remoteIp: '198.51.100.70' },
    { remoteIp: '198.51.100.7', zeroRatingTag: 'ANY' },
    { remoteIp: '198.51.100.70', zeroRatingTag: 'TAG' },
    { remoteIp: '8.8.8.8', zeroRatingTag: 'ANY' },
    { remoteIp: '203.0.113.9' },
    { remoteIp: '8.8.8.8' },
    { remoteIp: '198.51.100.7', zeroRatingTag: 'IP' },
  ];
  const records = Array.from({ length: count }, (_, at) => {
    const startTime = Date.UTC(2026, 9, 1) + random.integer(0, 60 * 24 * 60) * 60_000;
    return testRecord({
      ...ways[random.integer(0, ways.length - 1)],
      nodeId: `gw-${seed}`,
      localSequenceNumber: at % 17 === 16 ? at - 1 : at,
      servedMsisdn: `99900000000${random.integer(0, 2)}`,
      startTime,
      endTime: startTime + 1000,
      contentType: [...CONTENT_TYPES.slice(0, 5), null][random.integer(0, 5)] as FlowRecord['contentType'],
      uplinkOctets: at % 23 === 22 ? -1 : random.integer(0, 500),
      downlinkOctets: random.integer(0, 9000),
    });
  });
  // A record that is repeated as it is.
  return rawRecords(
    records.map((record, at) => (at % 34 === 16 ? records[at - 1] : record)),
    BOOKED_AT_MS,
  );
}

/** Books the traffic as engines do that have the rules. */
export async function bookAll(into: Store, rules: Rules): Promise<void> {
  const [flows0, flows1, a, b] = LOGS;
  await book(into, rules, flows0);
  await book(into, rules, flows1);
  await book(into, rules, { ...a, records: a.records.slice(0, 100) });
  await book(into, rules, b);
  await book(into, rules, a);
}

/** Books records of one log, after those that are booked of it. */
export function book(into: Store, { catalogue }: Rules, { log, records }: SourceLog) {
  return runEngine({ store: into, source: memorySource(log, records, 7, proveValue), catalogue, maxRecords: 33 });
}

export const balances = (of: Store): Promise<Row[]> =>
  of.query('SELECT sponsor_id, currency, balance_micros FROM account_balances ORDER BY ALL');
export const lines = (of: Store): Promise<Row[]> =>
  of.query(
    'SELECT sponsor_id, application_id, plan_id, plan_version, month, evidence, content_type, sum(records) AS n, ' +
      'sum(sponsored_octets) AS sponsored, sum(subscriber_octets) AS own, sum(charge_micros) AS micros FROM booking_totals ' +
      'GROUP BY ALL HAVING n != 0 OR sponsored != 0 OR own != 0 OR micros != 0 ORDER BY ALL',
  );

/** Returns all current charges, by the last row of each record, in another way than the code under test. */
export function currentRows(of: Store): Promise<Row[]> {
  const fields =
    'sponsor_id, application_id, plan_id, plan_version, toString(period_start), lower(hex(subscriber)), toString(evidence), ' +
    'toString(content_type), toUnixTimestamp64Milli(start_time), reason, toInt64(sponsored_octets), charge_micros, currency, ' +
    'used_octets_after, carry_after';
  return of.query(
    `SELECT topic, partition, offset, argMax(row, (number, at)) AS current_row FROM (` +
      `SELECT topic, partition, offset, 0 AS number, 0 AS at, 1 AS counts, tuple(${fields}) AS row FROM journal WHERE kind = 'charge' UNION ALL ` +
      `SELECT topic, partition, offset, number, kind = 'charge' AS at, at AS counts, tuple(${fields}) AS row FROM corrections WHERE kind != 'head') ` +
      'GROUP BY topic, partition, offset HAVING argMax(counts, (number, at)) = 1 ORDER BY ALL',
  );
}
