import type { BatchRow, JournalEvidence, WalkedBatch } from '../../journal/evidence/evidence.ts';
import type { RecordRules } from '../../rating/record/record-limits.ts';
import type { PseudonymKey } from '../../rating/subscribers.ts';

/** A source whose booked records are read again. */
export interface BookedSource {
  evidence: JournalEvidence;
  /** Whether the lane's records come from this source. */
  hasLane(lane: string): boolean;
  /** Of these batches the ones whose log the source has. */
  readable(batches: readonly BatchRow[]): BatchRow[];
  /** Yields the batches that the source has completely, in the order of every lane. */
  walk(batches: readonly BatchRow[], onMissing: (batches: readonly BatchRow[]) => void): AsyncIterable<WalkedBatch>;
  pseudonymKey: PseudonymKey;
  /** The settings with which the batches were rated. */
  recordRules: RecordRules;
}

/** The source no longer has what was booked of it, or has something else there. */
export class BookedSourceError extends Error {
  override readonly name = 'BookedSourceError';
  readonly canRetry = false;
  readonly code: 'records_lost' | 'source_changed';

  constructor(code: BookedSourceError['code'], message: string) {
    super(`${message}; nothing was booked`);
    this.code = code;
  }
}

const SHOWN = 20;

export function recordsLost(batches: readonly BatchRow[]): BookedSourceError {
  const stretches: BatchRow[][] = [];
  for (const batch of new Set(batches)) {
    const stretch = stretches.at(-1);
    const last = stretch?.at(-1);
    const isNext =
      last?.lane === batch.lane &&
      last.topic === batch.topic &&
      last.numbers.lane_sequence + 1 === batch.numbers.lane_sequence;
    if (isNext) stretch?.push(batch);
    else stretches.push([batch]);
  }
  const shown = stretches.slice(0, SHOWN).map((stretch) => `  ${stretchText(stretch[0], stretch[stretch.length - 1])}`);
  const rest = stretches.length > SHOWN ? [`  and ${stretches.length - SHOWN} more ranges`] : [];
  return new BookedSourceError(
    'records_lost',
    ['the source no longer has all of the booked records that count in these periods:', ...shown, ...rest].join('\n'),
  );
}

export function sourceDiffers(batch: BatchRow, fault: string): BookedSourceError {
  return new BookedSourceError('source_changed', `${stretchText(batch, batch)}: ${fault}`);
}

function stretchText(first: BatchRow, last: BatchRow): string {
  const { lane, topic, partition, numbers } = first;
  const [from, to] = [numbers.lane_sequence, last.numbers.lane_sequence];
  const batches = from === to ? `batch ${from}` : `batches ${from} to ${to}`;
  return `${topic}-${partition}, offsets ${numbers.first_offset} to ${last.lastOffset} (lane ${lane}, ${batches})`;
}
