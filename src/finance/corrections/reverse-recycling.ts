import { TIME } from '../../journal/journal-block.ts';
import { fixedColumn, int64Column, type NativeColumn, stringColumn } from '../../platform/clickhouse/native-block.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import type { Clock } from '../../platform/clock.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { RECYCLED } from '../../rating/lane.ts';
import { PSEUDONYM_OCTETS } from '../../rating/subscribers.ts';
import { bookFact, lastNumber } from '../book-fact.ts';
import { readCorrections } from './corrections.ts';

const DAY_MS = 86_400_000;
/** `kind` of a correction's rows. */
const HEAD = 1;
const REVERSAL = 2;

export interface ReversalRequest {
  /** Number of the recycling. */
  recycling: number;
  /** Unique among all corrections of the store. */
  name: string;
  who: string;
  why: string;
}

/** The sums that a reversal takes back from one sponsor. */
export interface ReversedSums {
  sponsorId: string;
  currency: string;
  records: number;
  sponsoredOctets: bigint;
  chargeMicros: bigint;
}

export type ReversalResult =
  /** The correction of this number reverses the recycling's charges. */
  | { outcome: 'booked' | 'repeated'; number: number; sums: ReversedSums[] }
  /** Nothing was booked: the sums that the reversal would take back. */
  | { outcome: 'preview'; sums: ReversedSums[] };

/** The current charge of a record of the recycling: as booked, or of the last correction. */
interface CurrentCharge {
  topic: string;
  partition: number;
  offset: number;
  sponsor: string;
  application: string;
  plan: string;
  version: number;
  period: number;
  subscriber: string;
  evidence: number;
  content: number;
  start: string | number;
  reason: string;
  sponsored: string;
  unsponsored: string;
  micros: string;
  currency: string;
  used: string | number;
  adjustment: number;
}

/**
 * Reverses a recycling as one numbered correction: a reversal of every charge of its records, all of them or none. Its
 * rejections can be recycled again after that. Without `clock` nothing is booked. A repeated call with the same name books
 * nothing.
 *
 * Throws a ConfigError for a recycling that does not exist, is not booked completely, or was reversed under another name.
 */
export async function reverseRecycling(
  store: Store,
  request: ReversalRequest,
  clock: Clock | null,
): Promise<ReversalResult> {
  for (;;) {
    // Read before the charges: a correction of one of them after that takes this number.
    const number = (await lastNumber(store, 'corrections')) + 1;
    const lastClosing = await lastNumber(store, 'closings');
    const repeated = await sameReversal(store, request);
    const charges = await currentCharges(store, request.recycling);
    if (repeated !== null) return { outcome: 'repeated', number: repeated, sums: [] };
    await requireWhole(store, request.recycling);
    const sums = sumsOf(charges);
    if (clock === null) return { outcome: 'preview', sums };
    const columns = reversalColumns(charges, request, clock.nowMs());
    const rows = charges.length + 1;
    const numbered = [int64Column('number', 'UInt64', new Float64Array(rows).fill(number)), ...columns];
    const guard = `(SELECT max(number) FROM closings) != ${lastClosing}`;
    const booked = await bookFact(store, { table: 'corrections', number, columns: numbered, rows, guard });
    if (booked === 'booked') return { outcome: 'booked', number, sums };
  }
}

/** Returns the number of the reversal that was booked under this name; null: there is none. */
async function sameReversal(store: Store, { recycling, name, who, why }: ReversalRequest): Promise<number | null> {
  const corrections = await readCorrections(store);
  const before = corrections.find((correction) => correction.recycling === recycling && recycling > 0);
  const named = corrections.find((correction) => correction.name === name);
  if (before !== undefined && before === named && named.who === who && named.why === why) return named.number;
  if (before !== undefined) {
    throw new ConfigError(
      `recycling ${recycling} was reversed already, by ${before.who}, as correction ${before.number}, ${before.name}`,
    );
  }
  if (named !== undefined) {
    throw new ConfigError(
      `correction ${named.number} is also named ${JSON.stringify(name)}: give this one another name with --name`,
    );
  }
  return null;
}

async function requireWhole(store: Store, recycling: number): Promise<void> {
  const [{ claimed, booked }] = await store.query<{ claimed: number; booked: number }>(
    `SELECT count() AS claimed, countIf(is_booked) AS booked FROM recycled WHERE number = ${recycling}`,
  );
  if (Number(claimed) === 0)
    throw new ConfigError(`there is no recycling ${recycling}: the view \`recycled\` lists them`);
  const [later] = await store.query<{ number: number }>(
    `SELECT number FROM recycled WHERE startsWith(topic, ${literal(`${RECYCLED}${recycling}/`)}) AND NOT is_reversed ORDER BY number LIMIT 1`,
  );
  if (later !== undefined) {
    throw new ConfigError(
      `recycling ${later.number} has records that recycling ${recycling} had rejected again: reverse ${later.number} first`,
    );
  }
  if (Number(claimed) === Number(booked)) return;
  throw new ConfigError(
    `recycling ${recycling} was interrupted: ${booked} of its ${claimed} records are booked; ` +
      'submit its file again with `rejections recycle`, and then reverse it',
  );
}

/** Returns the current charges of a recycling's records that no correction has reversed. */
function currentCharges(store: Store, recycling: number): Promise<CurrentCharge[]> {
  const closed = 'SELECT sponsor_id, max(closings.month) AS month FROM closings GROUP BY sponsor_id';
  const fields =
    'toString(sponsor_id), toString(application_id), toString(plan_id), plan_version, toUInt16(period_start), ' +
    'lower(hex(subscriber)), toInt8(evidence), toInt8(content_type), toUnixTimestamp64Milli(start_time), toString(reason), ' +
    'sponsored_octets, subscriber_octets, charge_micros, toString(currency), used_octets_after';
  // Within one correction the reversal comes before the charge that replaces it.
  const step = "(correction_number, origin != 'reversal')";
  return store.query<CurrentCharge>(
    'SELECT topic, partition, offset, sponsor, application, plan, version, period, subscriber, evidence, content, start, reason, ' +
      'sponsored, unsponsored, micros, currency, used, ' +
      "closed.sponsor_id != '' AND period < toUInt16(addMonths(closed.month, 1)) AS adjustment FROM (" +
      'SELECT topic, partition, offset, last.1 AS sponsor, last.2 AS application, last.3 AS plan, last.4 AS version, ' +
      'last.5 AS period, last.6 AS subscriber, last.7 AS evidence, last.8 AS content, last.9 AS start, last.10 AS reason, ' +
      'toString(last.11) AS sponsored, toString(last.12) AS unsponsored, toString(last.13) AS micros, last.14 AS currency, ' +
      `last.15 AS used FROM (SELECT topic, partition, offset, argMax((${fields}), ${step}) AS last, ` +
      `argMax(origin, ${step}) AS last_origin FROM bookings WHERE startsWith(topic, ${literal(`${RECYCLED}${recycling}/`)}) ` +
      "GROUP BY topic, partition, offset) WHERE last_origin != 'reversal') AS current " +
      `LEFT JOIN (${closed}) AS closed ON current.sponsor = closed.sponsor_id ORDER BY topic, partition, offset`,
  );
}

function sumsOf(charges: readonly CurrentCharge[]): ReversedSums[] {
  const sums = new Map<string, ReversedSums>();
  for (const { sponsor, currency, sponsored, micros } of charges) {
    const key = `${sponsor} ${currency}`;
    const sum = sums.get(key) ?? { sponsorId: sponsor, currency, records: 0, sponsoredOctets: 0n, chargeMicros: 0n };
    sum.records++;
    sum.sponsoredOctets += BigInt(sponsored);
    sum.chargeMicros += BigInt(micros);
    sums.set(key, sum);
  }
  return [...sums.values()].sort((a, b) => (a.sponsorId < b.sponsorId ? -1 : 1));
}

/** Returns a reversal of each charge, then the head row: the block's columns but `number`. */
function reversalColumns(
  charges: readonly CurrentCharge[],
  { recycling, name, who, why }: ReversalRequest,
  nowMs: number,
): NativeColumn[] {
  const rows = charges.length + 1;
  const texts = (column: string, of: (charge: CurrentCharge) => string) =>
    stringColumn(column, [...charges.map(of), '']);
  const negative = (column: string, of: (charge: CurrentCharge) => string) =>
    fixedColumn(column, 'Int64', BigInt64Array.from([...charges.map((charge) => -BigInt(of(charge))), 0n]));
  const head = (column: string, text: string) => stringColumn(column, [...charges.map(() => ''), text]);
  const days = charges.map(({ period }) => period);
  const period = (column: string, day: number) =>
    fixedColumn(column, 'Date', Uint16Array.from([...charges.map(() => 0), day]));
  return [
    fixedColumn('kind', 'Int8', Int8Array.from([...charges.map(() => REVERSAL), HEAD])),
    fixedColumn('is_adjustment', 'Bool', Uint8Array.from([...charges.map(({ adjustment }) => adjustment), 0])),
    texts('topic', ({ topic }) => topic),
    fixedColumn('partition', 'Int32', Int32Array.from([...charges.map(({ partition }) => partition), 0])),
    fixedColumn('offset', 'Int64', BigInt64Array.from([...charges.map(({ offset }) => BigInt(offset)), 0n])),
    texts('sponsor_id', ({ sponsor }) => sponsor),
    texts('currency', ({ currency }) => currency),
    texts('application_id', ({ application }) => application),
    texts('plan_id', ({ plan }) => plan),
    fixedColumn('plan_version', 'UInt32', Uint32Array.from([...charges.map(({ version }) => version), 0])),
    fixedColumn('period_start', 'Date', Uint16Array.from([...days, 0])),
    fixedColumn(
      'subscriber',
      `FixedString(${PSEUDONYM_OCTETS})`,
      Buffer.from(
        charges
          .map(({ subscriber }) => subscriber)
          .join('')
          .padEnd(rows * PSEUDONYM_OCTETS * 2, '0'),
        'hex',
      ),
    ),
    fixedColumn('evidence', 'Int8', Int8Array.from([...charges.map(({ evidence }) => evidence), 0])),
    fixedColumn('content_type', 'Int8', Int8Array.from([...charges.map(({ content }) => content), 0])),
    fixedColumn('start_time', TIME, BigInt64Array.from([...charges.map(({ start }) => BigInt(start)), 0n])),
    texts('reason', ({ reason }) => reason),
    negative('sponsored_octets', ({ sponsored }) => sponsored),
    negative('subscriber_octets', ({ unsponsored }) => unsponsored),
    negative('charge_micros', ({ micros }) => micros),
    fixedColumn('used_octets_after', 'UInt64', BigUint64Array.from([...charges.map(({ used }) => BigInt(used)), 0n])),
    fixedColumn('booking_date', 'Date', new Uint16Array(rows).fill(Math.floor(nowMs / DAY_MS))),
    fixedColumn('booked_at', TIME, BigInt64Array.from([...charges.map(() => 0n), BigInt(nowMs)])),
    head('correction', name),
    head('who', who),
    head('why', why),
    fixedColumn('recycling', 'UInt64', BigUint64Array.from([...charges.map(() => 0n), BigInt(recycling)])),
    period('period_from', days.length === 0 ? 0 : Math.min(...days)),
    period('period_to', days.length === 0 ? 0 : Math.max(...days) + 1),
  ];
}
