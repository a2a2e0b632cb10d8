import { fetchRecordSets } from '../platform/kafka-record-sets.ts';
import { KafkaRun } from './kafka-run.ts';
import type { KafkaSourceOptions } from './kafka-source-options.ts';
import type { Source } from './source.ts';

/**
 * Reads a topic as a member of a consumer group, committed transactions only. The listener says where each partition goes
 * on; the group's committed offsets are for lag monitors. While the listener works on a batch, the next one is fetched.
 */
export function kafkaSource(options: KafkaSourceOptions): Source {
  fetchRecordSets();
  let run: KafkaRun | null = null;
  let running: Promise<void> | null = null;
  let stopped = false;
  return {
    run(listener) {
      if (stopped) return Promise.resolve();
      run = new KafkaRun(options, listener);
      running = run.untilEnd();
      return running;
    },
    async stop() {
      stopped = true;
      run?.end();
      // Whoever called `run` hears of its failure.
      await running?.catch(() => {});
    },
    reassign({ partition }, error) {
      run?.reassign(partition, error);
    },
    acknowledge({ partition }, lastOffset) {
      run?.acknowledge(partition, lastOffset);
    },
  };
}
