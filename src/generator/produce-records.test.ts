import type { ProducerRecord } from 'kafkajs';
import { expect, test } from 'vitest';
import { NO_LATER_FIELDS } from '../rating/flow-record.ts';
import { encodeFlowRecordAvro, encodeGeneratedAvro } from './encode-avro.ts';
import type { GenerateOptions } from './generate-options.ts';
import { generateRecords } from './generate-records.ts';
import { malformationsOf } from './malformations.ts';
import { produceRecords } from './produce-records.ts';

const OPTIONS: GenerateOptions = {
  seed: 17,
  records: 2300,
  subscribers: 50,
  targets: [{ tags: ['CHAT'], prefixes: ['198.51.100.0/24'] }],
  startTimeMs: Date.UTC(2026, 9, 1),
  endTimeMs: Date.UTC(2026, 10, 1),
  malformed: 0.1,
  duplicate: 0.05,
};

function recordingProducer() {
  const sent: ProducerRecord[] = [];
  const producer = {
    send: async (record: ProducerRecord) => {
      sent.push(record);
      return [];
    },
  };
  return { producer, sent, messages: () => sent.flatMap(({ messages }) => messages) };
}

test('sends every record in order, keyed by its subscriber, in batches', async () => {
  const { producer, sent, messages } = recordingProducer();
  const progress: number[] = [];
  const onProgress = (count: number) => progress.push(count);
  const totals = await produceRecords({
    producer,
    topic: 'flows',
    recordsPerBatch: 1000,
    options: OPTIONS,
    onProgress,
  });
  const malformations = malformationsOf('avro-message');
  const generated = [...generateRecords({ ...OPTIONS, malformations })];
  expect(messages().map(({ value }) => value)).toEqual(generated.map((record) => encodeGeneratedAvro(record)));
  expect(messages().map(({ key }) => key)).toEqual(
    generated.map((record) => (record.kind === 'malformed' ? record.key : record.record.servedMsisdn)),
  );
  expect(sent.map((batch) => [batch.topic, batch.acks, batch.messages.length])).toEqual([
    ['flows', -1, 1000],
    ['flows', -1, 1000],
    ['flows', -1, 300],
  ]);
  expect(progress).toEqual([1000, 2000, 2300]);
  expect(totals.records).toBe(2300);
});

test('a Confluent header names the schema', async () => {
  const { producer, messages } = recordingProducer();
  await produceRecords({ producer, topic: 'flows', schemaId: 258, options: { ...OPTIONS, malformed: 0 } });
  for (const { value } of messages()) expect((value as Buffer).subarray(0, 5)).toEqual(Buffer.from([0, 0, 0, 1, 2]));
});

test('JSON values are flow records', async () => {
  const { producer, messages } = recordingProducer();
  await produceRecords({ producer, topic: 'flows', encoding: 'json', options: { ...OPTIONS, malformed: 0 } });
  const [first] = generateRecords({ ...OPTIONS, malformed: 0 });
  expect({ ...NO_LATER_FIELDS, ...JSON.parse(String(messages()[0]!.value)) }).toEqual(
    first!.kind === 'malformed' ? null : first!.record,
  );
});

test('a failing producer rejects the call', async () => {
  const producer = { send: () => Promise.reject(new Error('no leader')) };
  await expect(produceRecords({ producer, topic: 'flows', options: OPTIONS })).rejects.toThrow('no leader');
});

test('a single record is encoded for a test to send', () => {
  const [first] = generateRecords({ ...OPTIONS, malformed: 0 });
  if (first === undefined || first.kind === 'malformed') throw new Error('the first record is valid');
  expect(encodeFlowRecordAvro(first.record, 1).subarray(5)).toEqual(encodeFlowRecordAvro(first.record));
});
