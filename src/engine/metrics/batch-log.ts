import type { BatchPlace } from '../../journal/block-rows.ts';
import type { BookedBatch, EngineEvents } from '../book-batch.ts';

/** Returns the fields of a batch in every log line about it: its lane and number, its log, the cursor that it extends. */
function batchFields({ log: { lane, topic, partition }, laneSequence, prev, firstOffset, lastOffset }: BatchPlace) {
  return { batch: `${lane}@${laneSequence}`, topic, partition, prev, firstOffset, lastOffset };
}

/** Returns engine events that log the outcomes of batches. */
export function batchLog(
  logger: Record<'debug' | 'warn', (fields: object, message: string) => void>,
): Pick<EngineEvents, 'onBooked' | 'onPublished' | 'onFailed' | 'onGap'> {
  return {
    onBooked({ place, records, keyMismatches, quotaUpdates, publishedThrough, durationMs, waitedMs }) {
      const published = { quotaUpdates, publishedThrough };
      const times = { durationMs: tenths(durationMs), waitedMs: tenths(waitedMs) };
      logger.debug({ ...batchFields(place), ...published, ...times, records }, 'booked');
      if (keyMismatches === 0) return;
      logger.warn({ ...batchFields(place), keyMismatches }, 'records are not keyed by their MSISDN or account');
    },
    onPublished(published) {
      logger.debug(published, 'published quota updates that waited');
    },
    onFailed({ place, stage, error }) {
      const what =
        stage === 'book'
          ? 'not booked; its records are read again'
          : 'booked, but its quota updates are not published; they will be derived again';
      logger.warn({ ...batchFields(place), err: error }, what);
    },
    onGap({ reason }, place) {
      logger.warn({ ...batchFields(place), reason }, 'booked a gap of the source, because of --accept-gap');
    },
  };
}

/** To a tenth of a millisecond: a log is read by people too. */
function tenths(steps: BookedBatch['durationMs']): BookedBatch['durationMs'] {
  return Object.fromEntries(Object.entries(steps).map(([step, ms]) => [step, Math.round(ms * 10) / 10]));
}
