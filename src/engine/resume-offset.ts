import type { LossReason } from '../journal/block-rows.ts';
import type { TopicPartition } from '../rating/lane.ts';
import type { LogBounds } from '../sources/source.ts';
import { SourceError } from '../sources/source-error.ts';

/** A loss between the journal and its source: offsets [firstOffset, lastOffset] of `log` are gone. */
export interface SourceGap {
  reason: LossReason;
  log: TopicPartition;
  firstOffset: number;
  lastOffset: number;
}

/**
 * Returns the offset to resume from, or the gap before it. The log must still have what comes after the cursor: records
 * that retention took before they were booked are lost, and a log that ends below the cursor is another log. `isBegun`: the
 * journal says where the log begins, even if nothing is booked of it.
 */
export function resolveResumeOffset(
  log: TopicPartition,
  cursor: number,
  bounds: LogBounds | null,
  isBegun = cursor >= 0,
): number | SourceGap {
  const next = cursor + 1;
  if (bounds === null) return next;
  const { startOffset, endOffset } = bounds;
  const lastOffset = startOffset - 1;
  if (endOffset < next) return recreatedGap(log, startOffset);
  // The first batch of all begins where the log does.
  if (!isBegun) return startOffset;
  if (startOffset > next) return { reason: 'records_lost', log, firstOffset: next, lastOffset };
  return next;
}

/** The gap before a log that holds another record at the cursor than the one that is booked: it is another log. */
export function recreatedGap(log: TopicPartition, startOffset: number): SourceGap {
  return { reason: 'topic_recreated', log: nextIncarnation(log), firstOffset: 0, lastOffset: startOffset - 1 };
}

/** The error that the engine halts with at a gap that was not accepted. */
export function gapNotAcceptedError(
  { reason, log, firstOffset, lastOffset }: SourceGap,
  cursor: number,
  isOtherRecord = false,
): SourceError {
  const path = `${log.topic.replace(INCARNATION, '')}-${log.partition}`;
  const what =
    reason === 'records_lost'
      ? `records ${firstOffset} to ${lastOffset} were deleted before they were booked`
      : isOtherRecord
        ? `offset ${cursor} holds another record than the one that is booked: the topic was deleted and created again`
        : `the log ends below offset ${cursor}, which is booked: the topic was deleted and created again`;
  const remedy = 'Restore them, or run once with --accept-gap, which books the loss and continues';
  return new SourceError(reason, `${path}: ${what}. ${remedy}`, { path });
}

/**
 * The name that the log is booked under: `topic`, or `topic~2` and so on once it was recreated, as its offsets begin again
 * while the lane continues. No topic of Kafka can have such a name. The lane's last batch knows it.
 */
export function bookedLog(log: TopicPartition, lastTopic: string): TopicPartition {
  // Files share a lane, and their source names their generations.
  if (log.lane !== `${log.topic}-${log.partition}`) return log;
  const isIncarnation = lastTopic.replace(INCARNATION, '') === log.topic;
  return isIncarnation ? { ...log, topic: lastTopic } : log;
}

const INCARNATION = /~\d+$/;

function nextIncarnation(log: TopicPartition): TopicPartition {
  const number = Number(INCARNATION.exec(log.topic)?.[0].slice(1) ?? 1);
  return { ...log, topic: `${log.topic.replace(INCARNATION, '')}~${number + 1}` };
}
