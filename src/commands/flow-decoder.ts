import { readFileSync } from 'node:fs';
import { type AvroDecoder, type AvroSchema, avroDecoder } from '../billing/decode-avro.ts';
import { decodeJson } from '../billing/decode-json.ts';
import type { Decoder } from '../billing/decoder.ts';
import { keepSchema, keptSchemas } from '../journal/kept-schemas.ts';
import type { KafkaConfig, RegistryConfig } from '../platform/config.ts';
import { ConfigError } from '../platform/config-error.ts';
import type { KafkaLogger } from '../platform/kafka.ts';
import { packagePath } from '../platform/package-paths.ts';
import { type SchemaRegistryOptions, schemaRegistry } from '../platform/schema-registry.ts';
import type { Store } from '../platform/store.ts';
import { readTlsFiles } from '../platform/tls-files.ts';
import { SchemaLearner } from '../sources/schema-learner.ts';

type ValueConfig = Pick<KafkaConfig, 'valueFormat' | 'avro'>;

/** How a topic's values are decoded, and who teaches the decoder more schemas. */
export interface FlowDecoding {
  decode: Decoder;
  schemas?: SchemaLearner;
}

/** For booking: schemas that nobody configured come from the registry, if there is one, and are kept in the store. */
export function decodingForBooking(
  kafkaConfig: KafkaConfig,
  { store, logger, onProblem }: { store: Store; logger: KafkaLogger; onProblem: (problem: string | null) => void },
): FlowDecoding {
  const { topic, valueFormat, avro } = kafkaConfig;
  if (valueFormat === 'json' || avro.registry === null) return { decode: kafkaDecoder(kafkaConfig) };
  const decoder = configuredDecoder(avro);
  const registry = schemaRegistry(registryOptions(avro.registry));
  const keep = (id: number, document: string) => keepSchema(store, topic, id, document);
  return { decode: decoder, schemas: new SchemaLearner({ registry, decoder, keep, logger, onProblem }) };
}

/** For reading once more what was booked: with the schemas that the store has kept, whatever the registry has now. */
export async function decodingAsBooked(kafkaConfig: KafkaConfig, store: Store): Promise<FlowDecoding> {
  const { topic, valueFormat, avro } = kafkaConfig;
  if (valueFormat === 'json') return { decode: decodeJson };
  const decoder = configuredDecoder(avro);
  for (const [id, document] of await keptSchemas(store, topic)) {
    // What is configured comes first, as it did then.
    if (!(id in avro.schemas)) decoder.learn(id, JSON.parse(document) as AvroSchema);
  }
  return { decode: decoder };
}

/** How a topic's values are decoded. Writers' schemas are read from files; the reader's is the flow record's own. */
export function kafkaDecoder({ valueFormat, avro }: ValueConfig): Decoder {
  return valueFormat === 'json' ? decodeJson : configuredDecoder(avro);
}

/** Throws a ConfigError where certificates are no good. */
export function registryOptions({ url, username, password, ssl }: RegistryConfig): SchemaRegistryOptions {
  return { url, username, password, tls: readTlsFiles(ssl ?? {}, 'source.kafka.avro.registry.ssl') };
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
  try {
    return avroDecoder({
      readerSchema: own,
      schemas: new Map(schemas),
      bareSchema: avro.bareSchema === undefined ? own : readSchema(avro.bareSchema),
      header: avro.header,
    });
  } catch (error) {
    throw new ConfigError(`source.kafka.avro: ${(error as Error).message}`);
  }
}
