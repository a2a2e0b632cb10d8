import { type RowBinaryReader, readRowBinary } from '../../journal/row-binary.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { REASON_CODE, type Reason } from '../../rating/outcome.ts';
import { PSEUDONYM_OCTETS, type SubscriberTable } from '../../rating/subscribers.ts';
import type { CurrentCharges } from './current-charges.ts';
import { type LogSpan, mayCountExpression, type RowSelection } from './log-spans.ts';
import type { PeriodRange } from './rerate-lane.ts';

/** What rows are read for: the rating catalogue's indexes of applications, and the lane's subscribers. */
export interface ReadFor {
  applicationIndex: ReadonlyMap<string, number>;
  subscribers: SubscriberTable;
}

/** Reads the current rows of a span of a log; the capacity of `charges` must cover all of its offsets. */
export async function readCurrentCharges(
  store: Store,
  selection: RowSelection,
  span: LogSpan,
  readFor: ReadFor,
  charges: CurrentCharges,
): Promise<void> {
  // Each row writes the columns that it has; rating fills the others.
  charges.records.clear();
  charges.topic = span.topic;
  charges.partition = span.partition;
  const rows = readRowBinary(await store.stream(currentRows(selection, span)), (reader) => {
    const row = charges.records.count;
    readRecord(reader, charges, row, readFor);
    readDecision(reader, charges, row, selection.range);
    charges.records.count = row + 1;
  });
  for await (const _ of rows);
}

/**
 * Selects the journal's rows. Where a correction charged a record again, it returns the last decision; where one reversed
 * it, no row.
 */
function currentRows(selection: RowSelection, { lane, topic, partition, firstOffset, lastOffset }: LogSpan): string {
  const place =
    `topic = ${literal(topic)} AND partition = ${partition} ` + `AND offset BETWEEN ${firstOffset} AND ${lastOffset}`;
  const decided =
    'plan_id, plan_version, period_start, reason, sponsored_octets, charge_micros, used_octets_after, carry_after';
  const current = (name: string, at: number) => `if(is_corrected, decided.${at}, ${name})`;
  const expressions = [
    'offset, application_id, sponsor_id, currency, subscriber, toUInt16(evidence), toUInt16(content_type)',
    'toUnixTimestamp64Milli(start_time), uplink_octets, downlink_octets',
    `${current('plan_id', 1)}, ${current('plan_version', 2)}, toUInt16(${current('period_start', 3)}), ${current('reason', 4)}`,
    `${current('toInt64(sponsored_octets)', 5)}, ${current('charge_micros', 6)}, ${current('used_octets_after', 7)}`,
    current('carry_after', 8),
  ];
  return (
    `SELECT ${expressions.join(', ')} FROM (SELECT * FROM journal WHERE kind = 'charge' AND lane = ${literal(lane)} AND ${place} ` +
    `AND ${mayCountExpression(selection)}) AS booked LEFT JOIN (` +
    `SELECT offset, true AS is_corrected, argMax((${decided}), (number, kind = 'charge')) AS decided, ` +
    "argMax(kind = 'reversal', (number, kind = 'charge')) AS is_taken_back " +
    `FROM corrections WHERE kind != 'head' AND ${place} GROUP BY offset) AS corrected USING (offset) ` +
    'WHERE NOT is_taken_back ORDER BY offset FORMAT RowBinary'
  );
}

function readRecord(reader: RowBinaryReader, charges: CurrentCharges, row: number, readFor: ReadFor): void {
  const { records } = charges;
  records.offset[row] = reader.uint64();
  const applicationId = reader.text();
  charges.applicationName[row] = charges.names.numberOf(applicationId);
  records.application[row] = readFor.applicationIndex.get(applicationId) ?? -1;
  charges.sponsor[row] = charges.names.numberOf(reader.text());
  charges.currency[row] = charges.names.numberOf(reader.text());
  records.subscriber[row] = readFor.subscribers.ofPseudonym(reader.octets(PSEUDONYM_OCTETS));
  records.evidence[row] = reader.uint16();
  records.contentType[row] = reader.uint16();
  records.startTimeMs[row] = reader.uint64();
  records.uplinkOctets[row] = reader.uint64();
  records.downlinkOctets[row] = reader.uint64();
}

function readDecision(
  reader: RowBinaryReader,
  charges: CurrentCharges,
  row: number,
  { fromDay, toDay }: PeriodRange,
): void {
  charges.plan[row] = charges.plans.codeOf(reader.text(), reader.uint32());
  const periodStart = reader.uint16();
  charges.periodStart[row] = periodStart;
  charges.isInRange[row] = periodStart >= fromDay && periodStart < toDay ? 1 : 0;
  charges.reason[row] = codeOfReason(reader.text());
  charges.sponsoredOctets[row] = reader.uint64();
  charges.chargeMicros[row] = reader.uint64();
  charges.usedOctetsAfter[row] = reader.uint64();
  charges.carryAfter[row] = reader.uint16();
}

function codeOfReason(reason: string): number {
  const code: number | undefined = REASON_CODE[reason as Reason];
  if (code === undefined) throw new Error(`a charge row has the reason ${reason}, which this program does not know`);
  return code;
}
