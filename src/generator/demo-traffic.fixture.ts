import { readFileSync } from 'node:fs';
import type { Kafka } from 'kafkajs';
import { packagePath } from '../platform/package-paths.ts';
import { parseCatalogue } from '../rating/catalogue/catalogue-compile.ts';
import { produceRecords } from './produce-records.ts';

export const DEMO_CATALOGUE = packagePath('fixtures/demo/catalogue.yaml');

/**
 * Produces generated records of the demo catalogue's applications. Nodes are named after the seed, so another seed gives
 * other records.
 */
export async function produceDemoRecords(kafka: Kafka, topic: string, seed: number, records: number): Promise<void> {
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const { catalogue } = parseCatalogue(readFileSync(DEMO_CATALOGUE, 'utf8'), DEMO_CATALOGUE);
  const times = { startTimeMs: Date.UTC(2026, 9, 1), endTimeMs: Date.UTC(2026, 10, 1) };
  const targets = catalogue?.applications ?? [];
  await produceRecords({ producer, topic, options: { seed, records, subscribers: 50, targets, ...times } });
  await producer.disconnect();
}
