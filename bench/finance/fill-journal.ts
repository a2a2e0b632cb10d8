import type { Store } from '../../src/platform/clickhouse/store.ts';

/** What is drawn: a year of a carrier with twelve sponsors. */
export interface Filling {
  rows: number;
  /** First day of the year. */
  from: string;
  subscribers: number;
}

/** Columns of a table, each with the expression that draws it. A column's name may be used in those of others. */
type Drawn = readonly (readonly [column: string, expression: string])[];

const DAYS = 365;
const APPLICATIONS = 100;
const PARTITIONS = 4;
const BATCH_RECORDS = 66_000;
const CURRENCY = "['USD', 'EUR', 'JPY', 'KWD'][1 + _sponsor % 4]";
const SPONSOR = "'sponsor-' || leftPad(toString(_sponsor), 2, '0')";

/**
 * Fills an empty journal with charge rows and their batch rows, a day at a time, as a year of bookings would have. ClickHouse
 * draws them itself, always the same ones. They are no chain and no rating: only as many, as wide and as varied.
 */
export async function fillJournal(store: Store, filling: Filling, onDay: (day: number) => void): Promise<void> {
  let first = 0;
  for (let day = 0; day < DAYS; day++) {
    // What is left over by equal days, the first days have one more of.
    const rows = Math.floor((filling.rows + DAYS - 1 - day) / DAYS);
    await store.command(insertOf('journal', charges(filling, day), `numbers(${first}, ${rows})`));
    const batches = Math.ceil(rows / BATCH_RECORDS / PARTITIONS);
    const batchRows = batchesOf(filling, day, Math.floor(first / PARTITIONS), Math.ceil(rows / PARTITIONS / batches));
    await store.command(insertOf('journal', batchRows, `numbers(${PARTITIONS * batches})`));
    first += rows;
    onDay(day + 1);
  }
  await store.command(insertOf('account_entries', ENTRIES, '(SELECT number AS _row FROM numbers(144))'));
}

/** As the engine inserts: one block, one part. */
function insertOf(table: string, drawn: Drawn, source: string): string {
  const isTemporary = (column: string) => column.startsWith('_');
  const columns = drawn.map(([column]) => column).filter((column) => !isTemporary(column));
  const expressions = drawn.map(([column, expression]) => `${expression} AS ${column}`);
  return (
    `INSERT INTO ${table} (${columns.join(', ')}) SETTINGS max_insert_threads = 1, max_block_size = 4000000, ` +
    'max_insert_block_size = 4000000, min_insert_block_size_rows = 4000000 ' +
    `SELECT ${columns.join(', ')} FROM (SELECT ${expressions.join(', ')} FROM ${source}) ORDER BY ALL`
  );
}

/** From 0 to below `sides`: the same for the same row, and another for each `salt`. */
function draw(salt: string, sides: number): string {
  return `cityHash64(number, '${salt}') % ${sides}`;
}

/** Small numbers more often than large ones: few applications and few subscribers have most of the traffic. */
function drawSmall(salt: string, sides: number): string {
  return `least(${draw(salt, sides)}, ${draw(`${salt} again`, sides)})`;
}

/** Half of the applications have plans by month, half by day; a hundredth of the records is of the day before. */
function charges({ from, subscribers }: Filling, day: number): Drawn {
  return [
    ['kind', "'charge'"],
    ['lane', "'flows-' || toString(partition)"],
    ['topic', "'flows'"],
    ['partition', `number % ${PARTITIONS}`],
    ['offset', `intDiv(number, ${PARTITIONS})`],
    ['booking_date', `toDate('${from}') + ${day}`],
    ['chained_on', 'booking_date'],
    ['_app', drawSmall('application', APPLICATIONS)],
    ['_sponsor', '_app % 12'],
    ['_fate', draw('fate', 40)],
    ['_day', `booking_date - (${draw('late', 100)} = 0)`],
    ['reason', "multiIf(_fate = 0, 'quota_reached', _fate < 3, 'quota_exhausted', 'sponsored')"],
    ['sponsor_id', SPONSOR],
    ['application_id', "'application-' || leftPad(toString(_app), 2, '0')"],
    ['plan_id', "'plan-' || leftPad(toString(_app), 2, '0')"],
    ['plan_version', `if(_day < toDate('${from}') + 181, 1, 2)`],
    ['period_start', 'if(_app % 2 = 0, toStartOfMonth(_day), _day)'],
    ['subscriber', `reinterpretAsFixedString(sipHash128(${drawSmall('subscriber', subscribers)}))`],
    ['evidence', `if(_app % 3 = 0, 1, 1 + ${draw('evidence', 3)})`],
    ['content_type', draw('content', 6)],
    ['start_time', `toDateTime64(_day, 3, 'UTC') + ${draw('time', 86_400)}`],
    ['end_time', `start_time + ${draw('duration', 600)}`],
    ['node_id', "'node-' || toString(number % 8)"],
    ['local_sequence_number', 'intDiv(number, 8)'],
    ['uplink_octets', draw('uplink', 200_000)],
    ['downlink_octets', draw('downlink', 2_000_000)],
    ['sponsored_octets', 'if(_fate < 3, intDiv(downlink_octets, 3), uplink_octets + downlink_octets)'],
    ['charge_micros', 'intDiv(sponsored_octets, 500)'],
    ['currency', CURRENCY],
    ['used_octets_after', 'sponsored_octets'],
    ['carry_after', '0'],
  ];
}

/** For so many charged records of a partition a batch row; a tenth as many were not sponsored, a hundredth rejected. */
function batchesOf({ from }: Filling, day: number, firstOffset: number, charged: number): Drawn {
  return [
    ['kind', "'batch'"],
    ['lane', "'flows-' || toString(partition)"],
    ['topic', "'flows'"],
    ['partition', `number % ${PARTITIONS}`],
    ['first_offset', `${firstOffset} + intDiv(number, ${PARTITIONS}) * ${charged}`],
    ['offset', `first_offset + ${charged} - 1`],
    ['prev', 'first_offset - 1'],
    ['booking_date', `toDate('${from}') + ${day}`],
    ['chained_on', 'booking_date'],
    ['records_charged', String(charged)],
    ['records_not_sponsored', 'intDiv(records_charged, 10)'],
    ['records_rejected', 'intDiv(records_charged, 100)'],
    ['records_read', 'records_charged + records_not_sponsored + records_rejected'],
    ['octets_charged', 'records_charged * 1100000'],
    ['octets_not_sponsored', 'records_not_sponsored * 1100000'],
    ['digest', 'hex(SHA256(toString(number)))'],
    [
      'outcomes',
      "[('application-00', 'sponsored', records_charged, octets_charged), " +
        "('', 'no_evidence', records_not_sponsored, octets_not_sponsored), ('', 'malformed', records_rejected, 0)]",
    ],
  ];
}

/** Every sponsor paid once a month. */
const ENTRIES: Drawn = [
  ['number', '_row + 1'],
  ['idempotency_key', 'toString(_row)'],
  ['_sponsor', '_row % 12'],
  ['sponsor_id', SPONSOR],
  ['currency', CURRENCY],
  ['kind', "'payment'"],
  ['amount_micros', '1000000000'],
  ['effective_at', "toDateTime64('2026-01-01 00:00:00', 3, 'UTC') + intDiv(_row, 12) * 2592000"],
  ['who', "'bench'"],
  ['why', "'monthly payment'"],
];
