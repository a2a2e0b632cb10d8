import type { TopicPartitionOffsetAndMetadata } from 'kafkajs';
import { expect, test } from 'vitest';
import { KafkaCommits } from './kafka-source.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

test('commits one at a time; those that wait are gathered, the last of each partition', async () => {
  const commits: string[] = [];
  const consumer = {
    async commitOffsets(offsets: TopicPartitionOffsetAndMetadata[]) {
      commits.push(offsets.map(({ partition, offset }) => `${partition}@${offset}`).join(' '));
      await Promise.resolve();
      if (commits.length === 1) throw new Error('rebalancing');
    },
  };
  const own = new KafkaCommits(consumer as never, 'flows', silent);
  own.acknowledge(0, 9);
  own.acknowledge(0, 19);
  own.acknowledge(1, 5);
  own.acknowledge(0, 29);
  await own.committed();
  expect(commits).toEqual(['0@10', '0@30 1@6']);
  own.acknowledge(0, 39);
  await own.committed();
  expect(commits.at(-1)).toBe('0@40');
});
