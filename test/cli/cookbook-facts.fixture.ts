import type { Store } from '../../src/platform/clickhouse/store.ts';
import { outcomeOf, REASON_CODE, type Reason } from '../../src/rating/outcome.ts';

export type Row = Record<string, string>;

/** A charge, or a row of a correction. */
export interface Booking extends Row {
  origin: string;
  /** 1, or -1 of a reversal. */
  records: string;
  /** First day of the month that the statistics period begins in. */
  month: string;
  /** Day of the record's start, UTC. */
  usage_date: string;
}

/** What the store's tables hold, row by row, as text. */
export interface Facts {
  charges: Row[];
  bookings: Booking[];
  entries: Row[];
  closings: Row[];
  batches: Row[];
  outcomes: Row[];
  rejections: Row[];
  leakage: Row[];
  limits: Row[];
  /** By node the sequence numbers that arrived, ascending. */
  sequences: Map<string, number[]>;
}

export const DAY_MS = 86_400_000;
const MICROS = 1_000_000;

export async function readFacts(store: Store): Promise<Facts> {
  const rowsOf = async (sql: string) =>
    (await store.query<Record<string, unknown>>(sql)).map(
      (row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, String(value)])) as Row,
    );
  const common =
    'booking_date, period_start, sponsor_id, application_id, plan_id, plan_version, lower(hex(subscriber)) AS who, evidence, ' +
    'content_type, start_time, reason, sponsored_octets, charge_micros, currency, used_octets_after, topic, partition, offset';
  const charges = await rowsOf(
    `SELECT ${common}, end_time, node_id, local_sequence_number, uplink_octets, downlink_octets FROM journal WHERE kind = 'charge'`,
  );
  const corrected = await rowsOf(`SELECT ${common}, kind, subscriber_octets FROM corrections WHERE kind != 'head'`);
  const rejections = await rowsOf(
    "SELECT reason, detail, payload, booking_date, topic, partition, offset FROM journal WHERE kind = 'rejection'",
  );
  return {
    charges,
    bookings: [...charges.map(bookedCharge), ...corrected.map(bookedCorrection)],
    entries: await rowsOf('SELECT * FROM account_entries ORDER BY number'),
    closings: await rowsOf('SELECT * FROM closings ORDER BY number'),
    batches: await rowsOf("SELECT * EXCEPT (subscriber, seen, outcomes, leakage) FROM journal WHERE kind = 'batch'"),
    outcomes: (await elementsOf(store, 'outcomes')).map((row) => ({
      ...row,
      is_unsponsored: String(outcomeOf(REASON_CODE[row.reason as Reason]) === 'not_sponsored'),
    })),
    leakage: (await elementsOf(store, 'leakage')).map(({ prefix, ...row }) => ({
      ...row,
      remote_prefix: prefix,
      is_remainder: prefix === '' ? '1' : '0',
    })),
    rejections,
    limits: await limitsOf(store),
    sequences: await sequencesOf(store, rejections),
  };
}

function bookedCharge(row: Row): Booking {
  const octets = BigInt(row.uplink_octets) + BigInt(row.downlink_octets);
  return booked(row, 'charge', octets - BigInt(row.sponsored_octets));
}

function bookedCorrection(row: Row): Booking {
  return booked(row, row.kind === 'reversal' ? 'reversal' : 'recharge', BigInt(row.subscriber_octets));
}

function booked(row: Row, origin: string, subscriberOctets: bigint): Booking {
  return {
    ...row,
    origin,
    subscriber: row.who,
    records: origin === 'reversal' ? '-1' : '1',
    month: `${row.period_start.slice(0, 7)}-01`,
    usage_date: row.start_time.slice(0, 10),
    subscriber_octets: String(subscriberOctets),
  };
}

/** The elements of a list of the batch rows. */
async function elementsOf(store: Store, list: 'outcomes' | 'leakage'): Promise<Row[]> {
  const rows = await store.query<{ booking_date: string; list: Record<string, unknown>[] }>(
    `SELECT booking_date, ${list} AS list FROM journal WHERE kind = 'batch'`,
  );
  return rows.flatMap(({ booking_date, list }) =>
    list.map((element) => ({
      booking_date,
      ...Object.fromEntries(Object.entries(element).map(([name, value]) => [name, String(value)])),
    })),
  );
}

async function limitsOf(store: Store): Promise<Row[]> {
  const [{ document }] = await store.query<{ document: string }>(
    'SELECT document FROM catalogues ORDER BY first_used_at DESC LIMIT 1',
  );
  const { sponsors } = JSON.parse(document) as { sponsors: { id: string; currency: string; creditLimit: string }[] };
  return sponsors.map(({ id, currency, creditLimit }) => ({
    sponsor_id: id,
    currency,
    limit_micros: String(Math.round(Number(creditLimit) * MICROS)),
  }));
}

async function sequencesOf(store: Store, rejections: readonly Row[]): Promise<Facts['sequences']> {
  const batches = await store.query<{ nodes: string[]; seen: { node: number; sequence: string }[] }>(
    "SELECT seen_nodes AS nodes, seen FROM journal WHERE kind = 'batch'",
  );
  const found = new Map<string, Set<number>>();
  const take = (node: string, sequence: number) => found.set(node, (found.get(node) ?? new Set()).add(sequence));
  for (const { nodes, seen } of batches) for (const { node, sequence } of seen) take(nodes[node], Number(sequence));
  for (const { payload } of rejections) {
    const record = parsed(payload);
    if (typeof record?.nodeId !== 'string' || !Number.isInteger(record.localSequenceNumber)) continue;
    take(record.nodeId, Number(record.localSequenceNumber));
  }
  return new Map([...found].map(([node, sequences]) => [node, [...sequences].sort((a, b) => a - b)]));
}

function parsed(payload: string): Record<string, unknown> | null {
  try {
    return JSON.parse(payload);
  } catch {
    return null;
  }
}

/** One row for each combination of keys, with amounts computed of its rows; ascending by the keys. */
export function groups<R extends Row>(
  rows: readonly R[],
  keys: readonly string[],
  amounts: Record<string, (rows: readonly R[]) => unknown>,
): Row[] {
  const byKey = new Map<string, R[]>();
  for (const row of rows) {
    const key = JSON.stringify(keys.map((name) => row[name]));
    const own = byKey.get(key) ?? [];
    own.push(row);
    byKey.set(key, own);
  }
  return [...byKey]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([, own]) =>
        ({
          ...pick(own[0], keys),
          ...Object.fromEntries(Object.entries(amounts).map(([name, amountOf]) => [name, amountOf(own)])),
        }) as unknown as Row,
    );
}

export function pick(row: Row, names: readonly string[]): Row {
  return Object.fromEntries(names.map((name) => [name, row[name]]));
}

/** Whether a row has the same values as another under these names. */
export function same(row: Row, ...names: readonly string[]): (other: Row) => boolean {
  return (other) => names.every((name) => other[name] === row[name]);
}

export function sum(rows: readonly Row[], name: string): bigint {
  return rows.reduce((total, row) => total + BigInt(row[name]), 0n);
}

export function sumOf(name: string): (rows: readonly Row[]) => bigint {
  return (rows) => sum(rows, name);
}

export function lastOf(rows: readonly Row[], name: string): string {
  return (
    rows
      .map((row) => row[name])
      .sort()
      .at(-1) ?? ''
  );
}

/** The row with the least topic, partition and offset. */
export function firstPlace(rows: readonly Row[]): Row {
  const [first] = rows.toSorted((a, b) =>
    a.topic === b.topic ? Number(a.offset) - Number(b.offset) : a.topic < b.topic ? -1 : 1,
  );
  return first;
}

/** Returns what a closing posts of its monthly terms. */
function termsMicros(closing: Row): bigint {
  return BigInt(closing.flat_fee_micros) + BigInt(closing.shortfall_micros) - BigInt(closing.volume_rebate_micros);
}

/** Returns what a closing billed. */
export function billOf(closing: Row): Record<string, unknown> {
  const total = BigInt(closing.charge_micros) + BigInt(closing.adjustment_micros) + termsMicros(closing);
  return {
    ...pick(closing, ['month', 'sponsor_id', 'currency', 'charge_micros', 'adjustment_micros', 'closing_micros']),
    ...pick(closing, ['flat_fee_micros', 'volume_rebate_micros', 'shortfall_micros', 'tax_micros', 'rounding_micros']),
    total_micros: total,
    owed_micros: total + BigInt(closing.tax_micros) - BigInt(closing.rounding_micros),
  };
}

export function balancesOf({ bookings, entries, closings }: Pick<Facts, 'bookings' | 'entries' | 'closings'>) {
  return groups([...bookings, ...entries], ['sponsor_id', 'currency'], {}).map((account) => {
    const credited = sum(entries.filter(same(account, 'sponsor_id', 'currency')), 'amount_micros');
    const ofClosings = closings.filter(same(account, 'sponsor_id', 'currency')).map(termsMicros);
    const charged = ofClosings.reduce(
      (total, micros) => total + micros,
      sum(bookings.filter(same(account, 'sponsor_id', 'currency')), 'charge_micros'),
    );
    return {
      sponsor_id: account.sponsor_id,
      currency: account.currency,
      credited_micros: credited,
      charged_micros: charged,
      balance_micros: credited - charged,
    };
  });
}

/** To one decimal, halves to even, as ClickHouse rounds. */
export function percent(part: bigint, whole: bigint): number {
  return roundEven(((100 * Number(part)) / Number(whole)) * 10) / 10;
}

export function roundEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** What each subscriber costs, ascending. */
export function costs(rows: readonly Row[]): number[] {
  return groups(rows, ['subscriber'], { micros: sumOf('charge_micros') })
    .map(({ micros }) => Number(micros))
    .sort((a, b) => a - b);
}

export function quantile(ascending: readonly number[], part: number): number {
  return ascending[Math.floor(part * ascending.length)];
}

export function days(date: string): number {
  return Date.parse(date) / DAY_MS;
}

function lastDayOf(month: string): string {
  const [year, number] = month.split('-').map(Number);
  return new Date(Date.UTC(year, number, 0)).toISOString().slice(0, 10);
}

/** Credits are taken from the oldest month first, one month after the other. */
export function receivables(
  { bookings, entries, closings }: Pick<Facts, 'bookings' | 'entries' | 'closings'>,
  day: string,
): Record<string, unknown>[] {
  return groups(bookings, ['sponsor_id', 'currency'], {}).map((sponsor) => {
    let credit = sum(entries.filter(same(sponsor, 'sponsor_id')), 'amount_micros');
    const answer = { month_not_over: 0n, days_1_to_30: 0n, days_31_to_60: 0n, days_61_to_90: 0n, days_over_90: 0n };
    for (const { month, micros } of groups(bookings.filter(same(sponsor, 'sponsor_id')), ['month'], {
      micros: sumOf('charge_micros'),
    })) {
      const owed = closings
        .filter((closing) => closing.sponsor_id === sponsor.sponsor_id && closing.month === month)
        .reduce((total, closing) => total + termsMicros(closing), BigInt(String(micros)));
      const unpaid = owed > credit ? owed - credit : 0n;
      credit = owed > credit ? 0n : credit - owed;
      const age = days(day) - days(lastDayOf(String(month)));
      const bucket = (['month_not_over', 'days_1_to_30', 'days_31_to_60', 'days_61_to_90'] as const)[
        Math.ceil(age / 30)
      ];
      answer[bucket ?? 'days_over_90'] += unpaid;
    }
    return { ...sponsor, ...answer };
  });
}
