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

/** Reads the current charges of a span of a log; the capacity of `charges` must cover all of its offsets. */
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

const RECORD = 'subscriber, content_type, start_time, end_time, uplink_octets, downlink_octets';
const DECISION = [
  'application_id',
  'sponsor_id',
  'currency',
  'evidence',
  'plan_id',
  'plan_version',
  'period_start',
  'reason',
  'sponsored_octets',
  'charge_micros',
  'used_octets_after',
  'carry_after',
];

/**
 * Selects the charges of a span as they are now. A record's fields are those of its charge row in the journal or, where it has
 * none, of the correction that charged it first. The decision is that of the last correction of the record, if there is one; where
 * that is a reversal alone, there is no row.
 */
function currentRows(selection: RowSelection, span: LogSpan): string {
  const { charged } = selection;
  const { lane, topic, partition, firstOffset, lastOffset } = span;
  const place = `topic = ${literal(topic)} AND partition = ${partition} AND offset BETWEEN ${firstOffset} AND ${lastOffset}`;
  const rows = `lane = ${literal(lane)} AND ${place} AND ${mayCountExpression(selection)}`;
  // The journal's are unsigned.
  const decision = DECISION.map((name) => (name === 'sponsored_octets' ? `toInt64(${name}) AS ${name}` : name)).join(
    ', ',
  );
  const booked =
    `SELECT offset, true AS was_charged, ${RECORD}, ${decision} FROM journal WHERE kind = 'charge' AND ${rows} ` +
    // A correction may have given the record to the selection.
    `AND (${charged} OR offset IN (SELECT offset FROM corrections WHERE kind = 'charge' AND ${place} AND ${charged}))`;
  const first =
    `SELECT offset, false AS was_charged, ${RECORD}, ${decision} FROM corrections WHERE kind = 'charge' AND ${rows} ` +
    'ORDER BY number DESC LIMIT 1 BY offset';
  const corrected =
    `SELECT offset, true AS is_corrected, argMax((${DECISION.join(', ')}), (number, kind = 'charge')) AS decided, ` +
    "argMax(kind = 'reversal', (number, kind = 'charge')) AS is_taken_back " +
    `FROM corrections WHERE kind != 'head' AND ${place} GROUP BY offset`;
  const current = DECISION.map((name, at) => `if(is_corrected, decided.${at + 1}, charge.${name}) AS ${name}`);
  const columns =
    'offset, application_id, sponsor_id, currency, subscriber, toUInt16(evidence), toUInt16(content_type), ' +
    'toUnixTimestamp64Milli(start_time), toUnixTimestamp64Milli(end_time), uplink_octets, downlink_octets, toUInt16(was_charged), ' +
    'plan_id, plan_version, toUInt16(period_start), reason, sponsored_octets, charge_micros, used_octets_after, carry_after';
  return (
    `SELECT ${columns} FROM (SELECT offset, was_charged, ${RECORD}, ${current.join(', ')} ` +
    `FROM (SELECT * FROM (${booked}) UNION ALL SELECT * FROM (${first})) AS charge ` +
    `LEFT JOIN (${corrected}) AS corrected USING (offset) WHERE NOT is_taken_back) WHERE ${charged} ORDER BY offset FORMAT RowBinary`
  );
}

function readRecord(reader: RowBinaryReader, charges: CurrentCharges, row: number, readFor: ReadFor): void {
  const { records } = charges;
  records.offset[row] = reader.uint64();
  const applicationId = reader.text();
  charges.hasCharge[row] = 1;
  charges.applicationName[row] = charges.names.numberOf(applicationId);
  records.application[row] = readFor.applicationIndex.get(applicationId) ?? -1;
  charges.sponsor[row] = charges.names.numberOf(reader.text());
  charges.currency[row] = charges.names.numberOf(reader.text());
  records.subscriber[row] = readFor.subscribers.ofPseudonym(reader.octets(PSEUDONYM_OCTETS));
  charges.evidence[row] = reader.uint16();
  records.contentType[row] = reader.uint16();
  records.startTimeMs[row] = reader.uint64();
  records.endTimeMs[row] = reader.uint64();
  records.uplinkOctets[row] = reader.uint64();
  records.downlinkOctets[row] = reader.uint64();
  charges.wasCharged[row] = reader.uint16();
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
