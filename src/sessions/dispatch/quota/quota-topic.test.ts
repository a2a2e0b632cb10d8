import type { Batch, Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { expect, test } from 'vitest';
import { RecordBatchError } from '../../../platform/kafka/record-batch-error.ts';
import { QuotaTopicReader } from './quota-topic.ts';

/** A consumer that does what the test says. */
function scripted() {
  const handlers = new Map<string, (event: { payload: unknown }) => void>();
  let take: (payload: EachBatchPayload) => Promise<void> = async () => {};
  const consumer = {
    events: { GROUP_JOIN: 'join', CRASH: 'crash', END_BATCH_PROCESS: 'end' },
    on: (name: string, handler: (event: { payload: unknown }) => void) => handlers.set(name, handler),
    connect: async () => {},
    subscribe: async () => {},
    run: async ({ eachBatch }: { eachBatch: typeof take }) => {
      take = eachBatch;
    },
    disconnect: async () => {},
  } as unknown as Consumer;
  const admin = { connect: async () => {}, disconnect: async () => {}, fetchTopicOffsets: async () => [] };
  const kafka = { consumer: () => consumer, admin: () => admin } as unknown as Kafka;
  const emit = (name: string, payload: unknown) => handlers.get(name)?.({ payload });
  const fetched = (batch: Partial<Batch>) =>
    take({
      batch: { topic: 'quotas', partition: 2, lastOffset: () => '9', ...batch } as Batch,
      resolveOffset: () => {},
      heartbeat: async () => {},
    } as unknown as EachBatchPayload);
  return { kafka, emit, fetched };
}

test('a batch that cannot be read stays the problem while the consumer joins again, until it is read', async () => {
  const problems: (string | null)[] = [];
  const { kafka, emit, fetched } = scripted();
  const topic = new QuotaTopicReader({
    kafka,
    topic: 'quotas',
    groupId: 'g',
    decode: () => {
      throw new Error('not a quota update');
    },
    nextOffset: () => undefined,
    take: async () => {},
    onProblem: (problem) => problems.push(problem),
  });
  await topic.start();
  expect(problems.at(-1)).toBe(null);
  const fault = new RecordBatchError('codec_unknown', 'is compressed with codec 5');
  const unreadable = { offset: '9', recordSet: { count: 0, firstOffset: 8, fault } };
  await expect(fetched({ messages: [unreadable] as unknown as Batch['messages'] })).rejects.toMatchObject({
    code: 'codec_unknown',
  });
  const problem = 'quotas-2: the record batch at offset 8 is compressed with codec 5';
  emit('crash', { error: new Error(problem) });
  emit('join', { memberAssignment: { quotas: [2] } });
  expect(problems.slice(-3)).toEqual([problem, problem, problem]);
  await fetched({ messages: [] });
  emit('end', { partition: 2, lastOffset: '9' });
  expect(problems.at(-1)).toBe(null);
});
