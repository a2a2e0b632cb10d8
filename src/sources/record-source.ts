import { LogRecord } from '../platform/kafka/log-record.ts';
import type { Decoder } from '../rating/flow-record.ts';
import type { TopicPartition } from '../rating/lane.ts';
import type { Source } from './source.ts';

/** Records in memory, in offset order, and the log that they are booked under. */
export interface RecordLog {
  log: TopicPartition;
  records: readonly { offset: number; value: Buffer }[];
}

/** Hands over records from memory, log by log, from the last committed offset. */
export function recordSource(logs: readonly RecordLog[], decode: Decoder): Source {
  let isStopping = false;
  return {
    async run(listener) {
      for (const { log, records } of logs) {
        if (isStopping) return;
        const startOffset = await listener.assign(log, async () => null);
        const rest = records.filter(({ offset }) => offset >= startOffset).map((record) => LogRecord.of(record));
        await listener.deliver(log, rest, decode);
        await listener.flush(log);
        await listener.revoke(log);
      }
    },
    async stop() {
      isStopping = true;
    },
    // The next call of the listener fails, and that ends the run.
    reassign() {},
    acknowledge() {},
  };
}
