import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { monthAfterDay } from '../../rating/catalogue/closed-periods.ts';
import type { LaneEnd } from './correction-rows.ts';
import type { ChargeSelection } from './log-spans.ts';

/** The request of a correction. Its name identifies all of it. */
export interface CorrectionRequest extends ChargeSelection {
  /** Unique among all corrections of the store. */
  name: string;
  who: string;
  why: string;
}

/** A booked correction: its head row. */
export interface BookedCorrection extends CorrectionRequest {
  number: number;
  catalogueHash: string;
  /** The records were read again from their source, also those without a charge. */
  isFromSource: boolean;
  /** The recycling whose charges it reverses, of any sponsor; 0: it re-rated a sponsor's charges. */
  recycling: number;
}

/** Returns the corrections after a number, in the order of booking. */
export async function readCorrections(store: Store, afterNumber = 0): Promise<BookedCorrection[]> {
  const rows = await store.query<Record<string, string | number>>(
    'SELECT number, correction, who, why, catalogue_hash, recycling, notEmpty(read_logs) AS from_source, sponsor_id, ' +
      'toUInt16(period_from) AS from_day, ' +
      `toUInt16(period_to) AS to_day FROM corrections WHERE kind = 'head' AND number > ${afterNumber} ORDER BY number`,
  );
  return rows.map((row) => ({
    number: Number(row.number),
    name: String(row.correction),
    who: String(row.who),
    why: String(row.why),
    catalogueHash: String(row.catalogue_hash),
    recycling: Number(row.recycling),
    isFromSource: Number(row.from_source) === 1,
    sponsorId: String(row.sponsor_id),
    range: { fromDay: Number(row.from_day), toDay: Number(row.to_day) },
  }));
}

/**
 * Returns the first day of the sponsor's first open month, days since 1970-01-01: periods that begin on it or later are
 * open.
 */
export async function readOpenFromDay(
  store: Store,
  sponsorId: string,
): Promise<{ openFromDay: number; lastClosed: number }> {
  const [row] = await store.query<{ day: number }>(`SELECT ${lastClosedMonth(sponsorId)} AS day`);
  const lastClosed = Number(row.day);
  return { lastClosed, openFromDay: lastClosed < 0 ? 0 : monthAfterDay(lastClosed) };
}

/** Returns the last batch of each lane of the journal. */
export async function readLaneEnds(store: Store): Promise<LaneEnd[]> {
  const rows = await store.query<{ lane: string; last: number }>(
    "SELECT lane, max(lane_sequence) AS last FROM journal WHERE kind = 'batch' GROUP BY lane ORDER BY lane",
  );
  return rows.map(({ lane, last }) => ({ lane: String(lane), laneSequence: Number(last) }));
}

/** In SQL, for a guard: first day of the sponsor's last closed month; -1: none is closed. */
export function lastClosedMonth(sponsorId: string): string {
  return `ifNull(toInt32(toUInt16((SELECT maxOrNull(month) FROM closings WHERE sponsor_id = ${literal(sponsorId)}))), -1)`;
}

/** Returns what a request has otherwise than the correction of the same name; empty when they are equal. */
export function differsIn(
  booked: BookedCorrection,
  asked: CorrectionRequest & Pick<BookedCorrection, 'isFromSource'>,
  catalogueHash: string,
): string[] {
  const fields: [name: string, isSame: boolean][] = [
    ['sponsor', booked.sponsorId === asked.sponsorId],
    ['range', booked.range.fromDay === asked.range.fromDay && booked.range.toDay === asked.range.toDay],
    ['catalogue', booked.catalogueHash === catalogueHash],
    ['whether it read the source', booked.isFromSource === asked.isFromSource],
    ['who', booked.who === asked.who],
    ['why', booked.why === asked.why],
  ];
  return fields.filter(([, isSame]) => !isSame).map(([name]) => name);
}

/**
 * Returns whether two corrections have records in common. A record never leaves the range of periods that it was corrected
 * in. A reversal of a recycling has records of any sponsor. Two that read the source may both charge a record that had no charge,
 * whatever their sponsors and ranges: its period depends on the catalogue.
 */
export function overlaps(a: MaybeReversal, b: MaybeReversal): boolean {
  if (a.isFromSource && b.isFromSource) return true;
  const isOfAny = Boolean(a.recycling) || Boolean(b.recycling);
  return (isOfAny || a.sponsorId === b.sponsorId) && a.range.fromDay < b.range.toDay && b.range.fromDay < a.range.toDay;
}

type MaybeReversal = ChargeSelection & Partial<Pick<BookedCorrection, 'recycling' | 'isFromSource'>>;
