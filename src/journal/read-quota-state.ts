import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Admin, Consumer, Kafka } from 'kafkajs';
import { recordsOfBatch } from '../platform/kafka/patches/patch-record-sets.ts';
import type { AvroSchema } from '../rating/decode-avro.ts';
import { type QuotaUpdate, quotaUpdateCodec } from '../rating/quota-updates.ts';
import { quotaUpdateOfLine } from './quota-publisher-file.ts';

const GIVE_UP_AFTER_MS = 60_000;
const POLL_INTERVAL_MS = 20;

/** The last record that an update was derived from, of a log. */
export type PublishedEnd = Pick<QuotaUpdate, 'topic' | 'partition' | 'offset'>;

/** What consumers end with, by `subscriber|planId`. */
export interface PublishedQuotas {
  /** Of one that keeps the last message of each key, as compaction does. */
  byCompaction: ReadonlyMap<string, QuotaUpdate>;
  /** Of one that keeps the highest (`periodStart`, `version`) of each key. */
  byVersion: ReadonlyMap<string, QuotaUpdate>;
  /** By log. */
  ends: ReadonlyMap<string, PublishedEnd>;
}

export interface QuotaTopicAccess {
  kafka: Kafka;
  topic: string;
  /** `schemas/quota-update.avsc`. */
  schema: AvroSchema;
  schemaId?: number;
  /** Only so many of the last records of each partition; absent: all. */
  tailRecords?: number;
}

/**
 * Reads what is committed of the topic, from its beginning or only its tail, up to where it ends now, in a group of its own.
 * Rejects at once when there is no such topic, and when nothing more comes for a minute before the end is reached.
 */
export async function readQuotaState(options: QuotaTopicAccess): Promise<PublishedQuotas> {
  const { kafka, topic, schema, schemaId, tailRecords = Number.POSITIVE_INFINITY } = options;
  const state = new Gathered();
  const { decode } = quotaUpdateCodec(schema, schemaId);
  const admin = kafka.admin();
  const groupId = `zerorate.audit.${randomUUID()}`;
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100 });
  await admin.connect();
  try {
    const bounds = await boundsOf(admin, topic);
    const left = new Map([...bounds].map(([partition, { high }]) => [partition, high]));
    // A transaction that was aborted ends in a batch without messages: the event reports it too.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { partition, lastOffset } }) => {
      if (Number(lastOffset) + 1 >= (left.get(partition) ?? 0)) left.delete(partition);
    });
    let failure: Error | null = null;
    consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
      if (!restart) failure = error;
    });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachBatch: async ({ batch }) => {
        for (const { value } of recordsOfBatch(batch)) if (value.length > 0) state.add(decode(value));
      },
    });
    for (const [partition, { low, high }] of bounds) {
      const offset = Math.max(low, high - tailRecords);
      if (offset > low) consumer.seek({ topic, partition, offset: String(offset) });
    }
    await untilEmpty(left, topic, () => failure);
    return state;
  } finally {
    await leave(consumer, admin, groupId);
  }
}

/** Of the file that a publisher wrote: a line that a crash left torn is not there yet. */
export async function readQuotaFile(path: string): Promise<PublishedQuotas> {
  const state = new Gathered();
  const lines = (await readFile(path, 'utf8')).split('\n').slice(0, -1);
  for (const line of lines) state.add(quotaUpdateOfLine(line));
  return state;
}

class Gathered implements PublishedQuotas {
  readonly byCompaction = new Map<string, QuotaUpdate>();
  readonly byVersion = new Map<string, QuotaUpdate>();
  readonly ends = new Map<string, PublishedEnd>();

  add(update: QuotaUpdate): void {
    const key = `${update.subscriber}|${update.planId}`;
    this.byCompaction.set(key, update);
    const known = this.byVersion.get(key);
    if (known === undefined || !isNewer(known, update)) this.byVersion.set(key, update);
    const { topic, partition, offset } = update;
    const log = `${topic}-${partition}`;
    if (offset > (this.ends.get(log)?.offset ?? -1)) this.ends.set(log, { topic, partition, offset });
  }
}

function isNewer(update: QuotaUpdate, than: QuotaUpdate): boolean {
  if (update.periodStart !== than.periodStart) return update.periodStart > than.periodStart;
  return update.version > than.version;
}

/** The partitions that hold anything, with the offsets that each begins with and ends before. */
async function boundsOf(admin: Admin, topic: string): Promise<Map<number, { low: number; high: number }>> {
  // Asking for the offsets of a topic that is missing is repeated for half a minute first.
  await admin.fetchTopicMetadata({ topics: [topic] });
  const offsets = await admin.fetchTopicOffsets(topic);
  const bounds = offsets.map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) }));
  return new Map(bounds.filter(({ low, high }) => high > low).map(({ partition, ...held }) => [partition, held]));
}

async function untilEmpty(left: ReadonlyMap<number, number>, topic: string, failed: () => Error | null): Promise<void> {
  let size = left.size;
  for (let giveUpAtMs = performance.now() + GIVE_UP_AFTER_MS; left.size > 0; ) {
    const failure = failed();
    if (failure !== null) throw failure;
    if (left.size < size) giveUpAtMs = performance.now() + GIVE_UP_AFTER_MS;
    size = left.size;
    if (performance.now() > giveUpAtMs) {
      const partitions = [...left.keys()].join(', ');
      throw new Error(`${topic}: partitions ${partitions} could not be read to their ends; see that the brokers run`);
    }
    await pause(POLL_INTERVAL_MS);
  }
}

async function leave(consumer: Consumer, admin: Admin, groupId: string): Promise<void> {
  await consumer.disconnect();
  // A group that stays behind ends by itself, some days later.
  await admin.deleteGroups([groupId]).catch(() => {});
  await admin.disconnect();
}
