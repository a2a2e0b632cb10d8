import { readFileSync } from 'node:fs';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import type { KafkaConfig, RegistryConfig } from '../../platform/config/config.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import type { KafkaLogger } from '../../platform/kafka/kafka.ts';
import { NOT_AVRO, type SchemaRegistryOptions, schemaRegistry } from '../../platform/kafka/schema-registry.ts';
import { readTlsFiles } from '../../platform/network/tls-files.ts';
import { packagePath } from '../../platform/package-paths.ts';
import { haveSameMeaning } from '../../rating/decode/avro-canonical-form.ts';
import { decodeJsonValue } from '../../rating/decode/decode-json-value.ts';
import { type AvroDecoder, type AvroDecoderOptions, type AvroSchema, avroDecoder } from '../../rating/decode-avro.ts';
import type { Decoder } from '../../rating/flow-record.ts';
import { SchemaLearner } from '../../sources/kafka/schema-learner.ts';

type ValueConfig = Pick<KafkaConfig, 'valueFormat' | 'avro'>;

/** How a topic's values are decoded, and what teaches the decoder more schemas. */
export interface FlowDecoding {
  decode: Decoder;
  schemas?: SchemaLearner;
}

export interface BookingDecoding extends FlowDecoding {
  /**
   * Keeps the configured schemas in the store, before any record is decoded with them. Rejects with a ConfigError where one
   * contradicts what the topic's records were booked with.
   */
  keepConfigured: () => Promise<void>;
}

/** For booking: schemas that are not configured come from the registry, if there is one. All are kept in the store. */
export function decodingForBooking(
  kafkaConfig: KafkaConfig,
  { store, logger, onProblem }: { store: Store; logger: KafkaLogger; onProblem: (problem: string | null) => void },
): BookingDecoding {
  const { topic, valueFormat, avro } = kafkaConfig;
  if (valueFormat === 'json') return { decode: decodeJsonValue, keepConfigured: async () => {} };
  const decode = configuredDecoder(avro);
  const keepConfigured = () => keepConfiguredSchemas(store, topic, avro.schemas);
  if (avro.registry === null) return { decode, keepConfigured };
  const registry = schemaRegistry(registryOptions(avro.registry));
  const keep = (id: number, document: string) => keepSchema(store, topic, id, document);
  return { decode, keepConfigured, schemas: new SchemaLearner({ registry, decoder: decode, keep, logger, onProblem }) };
}

async function keepConfiguredSchemas(store: Store, topic: string, schemas: Record<string, string>): Promise<void> {
  for (const [id, path] of Object.entries(schemas)) {
    const document = JSON.stringify(readSchema(path));
    const kept = await keepSchema(store, topic, Number(id), document);
    if (haveSameMeaning(kept, document)) continue;
    throw new ConfigError(
      `source.kafka.avro.schemas.${id}: ${path} contradicts the schema that records of ${topic} with this id were booked ` +
        'with (table writer_schemas); name that one, for what is booked is replayed with it, or read a new topic',
    );
  }
}

/** For reading once more what was booked: with the schemas that the store has kept, whatever is configured or registered now. */
export async function decodingAsBooked(kafkaConfig: KafkaConfig, store: Store): Promise<FlowDecoding> {
  const { topic, valueFormat, avro } = kafkaConfig;
  if (valueFormat === 'json') return { decode: decodeJsonValue };
  const decoder = configuredDecoder(avro);
  for (const [id, document] of await keptSchemas(store, topic)) decoder.learn(id, JSON.parse(document) as AvroSchema);
  return { decode: decoder };
}

/** How a topic's values are decoded. Writers' schemas are read from files; the reader's is the flow record's own. */
export function kafkaDecoder({ valueFormat, avro }: ValueConfig): Decoder {
  return valueFormat === 'json' ? decodeJsonValue : configuredDecoder(avro);
}

/** Throws a ConfigError where certificates are invalid. */
export function registryOptions({ url, username, password, tls }: RegistryConfig): SchemaRegistryOptions {
  return { url, username, password, tls: readTlsFiles(tls ?? {}, 'source.kafka.avro.registry.tls') };
}

export function readSchema(path: string): AvroSchema {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ConfigError(`${path}: cannot be read as an Avro schema: ${(error as Error).message}`);
  }
}

function configuredDecoder(avro: KafkaConfig['avro']): AvroDecoder {
  const own = readSchema(packagePath('schemas/flow-record.avsc'));
  const schemas = Object.entries(avro.schemas).map(([id, path]): [number, AvroSchema] => [
    Number(id),
    readSchema(path),
  ]);
  const decoder = decoderOf({
    readerSchema: own,
    schemas: new Map(schemas),
    bareSchema: avro.bareSchema === undefined ? own : readSchema(avro.bareSchema),
    header: avro.header,
    idBytes: avro.idBytes,
  });
  if (decoder.distinguishesHeaders || avro.registry === null) return decoder;
  throw new ConfigError(
    'source.kafka.avro.header: say confluent or bare: a record of bareSchema may begin as a header does, ' +
      'as its first field is not nodeId as plain text',
  );
}

function decoderOf(options: AvroDecoderOptions): AvroDecoder {
  try {
    return avroDecoder(options);
  } catch (error) {
    throw new ConfigError(`source.kafka.avro: ${(error as Error).message}`);
  }
}

/** The schemas that a topic's records were decoded with, as JSON text by the id in their header. */
export async function keptSchemas(store: Store, topic: string): Promise<Map<number, string>> {
  const rows = await store.query<{ id: number; document: string }>(
    `SELECT schema_id AS id, document FROM writer_schemas WHERE topic = ${literal(topic)} ORDER BY schema_id, learnt_at`,
  );
  // The first that was learnt; another one is never booked with. An earlier version took some of Java's for none.
  const known = rows.filter(({ document }) => document !== NOT_AVRO);
  return new Map([...rows, ...known.reverse()].map(({ id, document }) => [Number(id), document]));
}

/**
 * Keeps a schema before a record is decoded with it. Gives the one that is kept for the id: of two engines that learn it at
 * once, both get the same.
 */
export async function keepSchema(store: Store, topic: string, id: number, document: string): Promise<string> {
  const kept = async () => (await keptSchemas(store, topic)).get(id);
  const known = await kept();
  if (known !== undefined && known !== NOT_AVRO) return known;
  await store.command(
    `INSERT INTO writer_schemas (topic, schema_id, document) SELECT ${literal(topic)}, ${id}, ${literal(document)}`,
  );
  return (await kept()) ?? document;
}
