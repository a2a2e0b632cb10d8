import type { Journal } from '../journal/journal.ts';
import { type Decoder, FlowBatch } from '../rating/flow-record.ts';
import { incoming } from '../rating/incoming.ts';
import { isCharged, type Outcome, outcomeOf, REASONS, type Reason } from '../rating/outcome.ts';
import { admit, classifyBatch, earliestPeriodStart, rateBatch } from '../rating/pipeline.ts';
import type { RecordRules } from '../rating/record/record-limits.ts';
import type { Rules } from '../rating/rules.ts';
import type { RecordLog } from '../sources/record-source.ts';
import { type MemorySettings, OPEN_DAYS, type RecoveredLane, reachBackTo, recoverLane } from './recovery.ts';

/** What a record would be booked as. */
export interface RecordPreview {
  topic: string;
  partition: number;
  offset: number;
  outcome: Outcome;
  reason: Reason;
  /** Why it would be rejected; empty otherwise. */
  detail: string;
  nodeId: string;
  localSequenceNumber: number;
  /** Empty where no application is recognised, or none pays. */
  sponsorId: string;
  applicationId: string;
  planId: string;
  planVersion: number;
  sponsoredOctets: number;
  chargeMicros: number;
  currency: string;
}

export interface PreviewSettings extends MemorySettings {
  rules: Rules;
  decode: Decoder;
  recordRules: RecordRules;
  /** Days since 1970-01-01, UTC. */
  today: number;
}

/**
 * What records of some logs would become if an engine booked them now, one after the other: rated as the engine rates them, with
 * the counters and the window of duplicates of their lanes. Books nothing. Rejects with a StoreError.
 */
export async function previewRecords(
  journal: Pick<Journal, 'head' | 'counters' | 'seen' | 'moves' | 'cursor' | 'seenByEarlier'>,
  logs: readonly RecordLog[],
  settings: PreviewSettings,
): Promise<RecordPreview[]> {
  const lanes = new Map<string, RecoveredLane>();
  const previews: RecordPreview[] = [];
  for (const { log, records } of logs) {
    const { offset } = await journal.cursor(log);
    const rest = records.filter((record) => record.offset > offset);
    if (rest.length === 0) continue;
    const options = { ...settings, horizonDay: settings.today - OPEN_DAYS };
    const state = lanes.get(log.lane) ?? (await recoverLane(journal, log.lane, options));
    lanes.set(log.lane, state);
    await state.lane.recallEarlier(log.topic, () =>
      journal.seenByEarlier(log.lane, log.topic, Number.MAX_SAFE_INTEGER),
    );
    const batch = await rateRecords(rest, state, log.lane, journal, settings);
    for (let row = 0; row < batch.count; row++)
      previews.push({ ...log, ...previewOf(batch, row, state, settings.rules) });
  }
  return previews;
}

async function rateRecords(
  records: RecordLog['records'],
  state: RecoveredLane,
  name: string,
  journal: Pick<Journal, 'counters'>,
  { rules, decode, recordRules, today }: PreviewSettings,
): Promise<FlowBatch> {
  const batch = new FlowBatch(records.length);
  const context = { decode, keyedByMsisdn: false, rules: recordRules, bookingDay: today };
  admit(
    batch,
    records.map(({ value, offset }) => incoming(value, offset)),
    context,
    state.lane,
    rules,
  );
  classifyBatch(batch, state.lane, rules);
  await reachBackTo(earliestPeriodStart(batch, rules), journal, name, state);
  rateBatch(batch, state.lane, rules);
  return batch;
}

function previewOf(
  batch: FlowBatch,
  row: number,
  { lane }: RecoveredLane,
  { catalogue: { applications, plans, sponsors } }: Rules,
): Omit<RecordPreview, 'topic' | 'partition'> {
  const code = batch.reason[row];
  const application = applications[batch.application[row]];
  const sponsor = sponsors[application?.sponsor];
  const plan = plans[batch.plan[row]];
  const charged = isCharged(code);
  return {
    offset: batch.offset[row],
    outcome: outcomeOf(code),
    reason: REASONS[code].reason,
    detail: batch.rejections.find((rejection) => rejection.row === row)?.detail ?? '',
    nodeId: lane.nodes.list[batch.node[row]] ?? '',
    localSequenceNumber: batch.localSequenceNumber[row],
    sponsorId: sponsor?.id ?? '',
    applicationId: application?.id ?? '',
    planId: plan?.id ?? '',
    planVersion: plan?.version ?? 0,
    sponsoredOctets: charged ? batch.sponsoredOctets[row] : 0,
    chargeMicros: charged ? batch.chargeMicros[row] : 0,
    currency: sponsor?.currency ?? '',
  };
}
