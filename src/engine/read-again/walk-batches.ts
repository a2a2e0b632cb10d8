import type { BatchRow, WalkedBatch } from '../../journal/evidence/evidence.ts';
import { type LogRecord, NO_PROOF, type ProveRecord, type SourceProof } from '../../platform/kafka/log-record.ts';
import type { Decoder } from '../../rating/flow-record.ts';
import type { TopicPartition } from '../../rating/lane.ts';
import type { AskBounds, Source, SourceListener } from '../../sources/source.ts';
import { Handover } from './handover.ts';

/** Opens a source that has the logs of these batches, or some of them; null when it has none of them any more. */
export type OpenSource = (batches: readonly BatchRow[]) => Promise<Source | null>;

/**
 * Reads the source again and yields each batch with its records, in the order of every lane. Batches that the source no
 * longer has completely are skipped, and passed to `onMissing`, lane by lane.
 */
export async function* walkBatches(
  batches: readonly BatchRow[],
  openSource: OpenSource,
  onMissing: (batches: readonly BatchRow[]) => void = () => {},
): AsyncGenerator<WalkedBatch> {
  for (const pass of passesOf(batches.filter(({ gapReason }) => gapReason === ''))) {
    const source = await openSource(pass);
    if (source === null) {
      onMissing(pass);
      continue;
    }
    const handover = new Handover<WalkedBatch>();
    const running = source.run(new BatchListener(pass, handover, onMissing, () => void source.stop()));
    running.then(
      () => handover.end(),
      (error) => handover.fail(error),
    );
    try {
      yield* handover.items();
    } finally {
      handover.abandon();
      await source.stop();
    }
  }
}

/**
 * Splits batches into passes. A source reads logs one after the other, or all at once, but each of them forward only. A lane
 * may have read one file, then another, then the growth of the first, so a pass has one range of one log for each lane.
 */
function passesOf(batches: readonly BatchRow[]): BatchRow[][] {
  const passes: BatchRow[][] = [];
  const stretches = new Map<string, { topic: string; pass: number }>();
  for (const batch of batches) {
    const before = stretches.get(batch.lane);
    const pass = before === undefined ? 0 : before.pass + (before.topic === batch.topic ? 0 : 1);
    stretches.set(batch.lane, { topic: batch.topic, pass });
    passes[pass] ??= [];
    passes[pass].push(batch);
  }
  return passes;
}

/** Cuts what a source delivers at the batches' boundaries. */
class BatchListener implements SourceListener {
  readonly #waiting = new Map<string, BatchRow[]>();
  readonly #records = new Map<string, LogRecord[]>();
  readonly #handover: Handover<WalkedBatch>;
  readonly #onMissing: (batches: readonly BatchRow[]) => void;
  readonly #stop: () => void;

  constructor(
    batches: readonly BatchRow[],
    handover: Handover<WalkedBatch>,
    onMissing: (batches: readonly BatchRow[]) => void,
    stop: () => void,
  ) {
    this.#handover = handover;
    this.#onMissing = onMissing;
    this.#stop = stop;
    for (const batch of batches) {
      const waiting = this.#waiting.get(batch.lane) ?? [];
      waiting.push(batch);
      this.#waiting.set(batch.lane, waiting);
    }
  }

  async assign({ lane }: TopicPartition, bounds: AskBounds): Promise<number> {
    const waiting = this.#waiting.get(lane) ?? [];
    const { startOffset, endOffset } = (await bounds()) ?? { startOffset: 0, endOffset: Number.POSITIVE_INFINITY };
    const isThere = ({ numbers, lastOffset }: BatchRow) =>
      (numbers.first_offset >= startOffset || numbers.prev + 1 >= startOffset) && lastOffset < endOffset;
    const left = waiting.filter(isThere);
    if (left.length < waiting.length) this.#onMissing(waiting.filter((batch) => !isThere(batch)));
    this.#waiting.set(lane, left);
    this.#records.set(lane, []);
    this.#stopWhenDone();
    return left.length === 0 ? startOffset : Math.max(startOffset, left[0].numbers.prev + 1);
  }

  async deliver(
    { lane }: TopicPartition,
    records: Iterable<LogRecord>,
    decode: Decoder,
    prove: ProveRecord = () => NO_PROOF,
  ): Promise<void> {
    for (const record of records) {
      const waiting = this.#waiting.get(lane) ?? [];
      // If compaction has removed a batch's last record, the batch ends with the first record after it.
      while (waiting.length > 0 && record.offset > waiting[0].lastOffset) await this.#handOver(lane, decode, NO_PROOF);
      if (waiting.length === 0) return;
      this.#records.get(lane)?.push(record);
      if (record.offset === waiting[0].lastOffset) await this.#handOver(lane, decode, prove(record));
    }
  }

  async flush(): Promise<void> {}

  /** After a reassignment a log continues from the batch that was not complete. */
  async revoke(): Promise<void> {}

  async #handOver(lane: string, decode: Decoder, sourceProof: SourceProof): Promise<void> {
    const [batch] = this.#waiting.get(lane)?.splice(0, 1) ?? [];
    await this.#handover.give({ batch, records: this.#records.get(lane) ?? [], decode, sourceProof });
    this.#records.set(lane, []);
    this.#stopWhenDone();
  }

  #stopWhenDone(): void {
    if ([...this.#waiting.values()].every(({ length }) => length === 0)) this.#stop();
  }
}
