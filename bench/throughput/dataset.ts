import type { Kafka, Producer } from 'kafkajs';
import { Partitioners } from 'kafkajs';
import { stringify } from 'yaml';
import type { GenerateOptions, GenerateTarget } from '../../src/generator/generate-options.ts';
import { generateRecords } from '../../src/generator/generate-records.ts';
import type { GeneratedTotals } from '../../src/generator/generated-totals.ts';
import { produceRecords } from '../../src/generator/produce-records.ts';
import { claimText } from '../../src/rating/claims.ts';
import { wholePlan } from '../whole-plan.ts';

export const TOPIC = 'flows';
export const PARTITIONS = 4;
export const SCHEMA_ID = 1;
const SPONSORS = 50;
const APPLICATIONS = 100;
const THIRD = 1 / 3;
const MIB = 2n ** 20n;

/** What is sponsored: by one tag and one prefix each. No two prefixes overlap. */
export interface Application extends GenerateTarget {
  id: string;
  sponsor: string;
  /** Decimal text, for 2^20 octets. */
  pricePerMiB: string;
}

export function applications(): Application[] {
  return Array.from({ length: APPLICATIONS }, (_, index) => ({
    id: `app-${index}`,
    sponsor: `sponsor-${index % SPONSORS}`,
    tags: [`TAG-${index}`],
    prefixes: [`198.18.${index}.0/24`],
    pricePerMiB: (0.001 + index / 10_000).toFixed(4),
  }));
}

/** A catalogue with one plan for each application. */
export function catalogueYaml(): string {
  const all = applications();
  const sponsors = [...new Set(all.map(({ sponsor }) => sponsor))];
  return stringify({
    sponsors: sponsors.map((id) => ({ id, name: id, currency: 'USD', creditLimit: '1000000000.00' })),
    applications: all.map(({ id, sponsor, tags, prefixes }) => ({ id, sponsor, match: 'any', tags, prefixes })),
    plans: all.map(({ id, pricePerMiB }) => wholePlan(id, pricePerMiB)),
  });
}

export interface DatasetSize {
  seed: number;
  records: number;
  subscribers: number;
}

/** A month of usage, a third of it tagged and a third sent to a prefix. */
export function datasetOptions(size: DatasetSize): GenerateOptions {
  return {
    ...size,
    targets: applications(),
    startTimeMs: Date.UTC(2026, 9, 1),
    endTimeMs: Date.UTC(2026, 10, 1),
    tagged: THIRD,
    ipMatched: THIRD,
    unmatched: THIRD,
    // The shortest records that the schema allows, about 90 octets: the less there is to read, the more weighs the rest.
    terse: true,
    contentTypes: { unknown: 1 },
  };
}

export async function createTopics(kafka: Kafka, topics: readonly string[]): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({
    topics: topics.map((topic) => ({ topic, numPartitions: PARTITIONS, replicationFactor: 1 })),
  });
  await admin.disconnect();
}

/** What was produced. */
export interface MadeDataset extends GeneratedTotals {
  /** Of all messages' values. */
  valueBytes: number;
  /** What sponsors pay for all records, each rounded half up. */
  chargeMicros: number;
}

/** In Avro with Confluent's header, keyed by MSISDN. */
export async function produceDataset(
  kafka: Kafka,
  { onProgress, ...size }: DatasetSize & { onProgress: (records: number) => void },
): Promise<MadeDataset> {
  await createTopics(kafka, [TOPIC]);
  const connected: Producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  let valueBytes = 0;
  const producer: Pick<Producer, 'send'> = {
    send(batch) {
      for (const { value } of batch.messages) valueBytes += value?.length ?? 0;
      return connected.send(batch);
    },
  };
  await connected.connect();
  const options = datasetOptions(size);
  const totals = await produceRecords({ producer, topic: TOPIC, schemaId: SCHEMA_ID, onProgress, options });
  await connected.disconnect();
  return { ...totals, valueBytes, chargeMicros: chargeMicrosOf(options) };
}

/** The records are drawn a second time. Tags and prefixes name no two applications. */
export function chargeMicrosOf(options: GenerateOptions): number {
  const prices = new Map<string, bigint>();
  for (const { tags, prefixes, pricePerMiB } of applications()) {
    const micros = BigInt(Math.round(Number(pricePerMiB) * 1e6));
    prices.set(tags[0], micros);
    prices.set(networkOf(claimText(prefixes[0])), micros);
  }
  let sum = 0n;
  for (const generated of generateRecords(options)) {
    if (generated.kind !== 'usual') continue;
    const { zeroRatingTag, remoteIp, uplinkOctets, downlinkOctets } = generated.record;
    const price = prices.get(zeroRatingTag ?? '') ?? prices.get(networkOf(remoteIp)) ?? 0n;
    sum += (BigInt(uplinkOctets + downlinkOctets) * price + MIB / 2n) / MIB;
  }
  return Number(sum);
}

/** The first 24 bits of an IPv4 address, or of a prefix of that length. */
function networkOf(address: string): string {
  return address.slice(0, address.lastIndexOf('.'));
}
