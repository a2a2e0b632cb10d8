import type { Producer } from 'kafkajs';
import { encodeGeneratedAvro } from './encode-avro.ts';
import { encodeGeneratedJson } from './encode-text.ts';
import type { GenerateOptions } from './generate-options.ts';
import { generateRecords } from './generate-records.ts';
import type { GeneratedRecord } from './generated-record.ts';
import type { GeneratedTotals } from './generated-totals.ts';
import { malformationsOf, type RecordFormat } from './malformations.ts';
import { takeRecords } from './take-records.ts';
import type { OnGenerateProgress } from './write-records.ts';

export interface ProduceRecords {
  /**
   * A connected producer; it stays connected. Its partitioner decides by key, so one subscriber's records are in one
   * partition.
   */
  producer: Pick<Producer, 'send'>;
  topic: string;
  /** Of each message's value; `avro` by default. */
  encoding?: 'avro' | 'json';
  /** Id of the schema in the Confluent wire header of every Avro value; absent: no header. */
  schemaId?: number;
  recordsPerBatch?: number;
  options: GenerateOptions;
  onProgress?: OnGenerateProgress;
}

/** Sends generated records in order, one batch after the other, keyed by MSISDN. */
export async function produceRecords(request: ProduceRecords): Promise<GeneratedTotals> {
  const { producer, topic, encoding = 'avro', schemaId, recordsPerBatch = 5000, options, onProgress } = request;
  const malformations = malformationsOf(messageFormat(encoding, schemaId));
  const records = generateRecords({ malformations, ...options });
  const encode = (generated: GeneratedRecord) =>
    encoding === 'json' ? Buffer.from(encodeGeneratedJson(generated)) : encodeGeneratedAvro(generated, schemaId);
  for (let sent = 0; ; ) {
    const taken = takeRecords(records, recordsPerBatch);
    const messages = taken.records.map((generated) => ({ key: keyOf(generated), value: encode(generated) }));
    if (messages.length > 0) await producer.send({ topic, messages, acks: -1 });
    sent += messages.length;
    onProgress?.(sent);
    if (taken.totals !== undefined) return taken.totals;
  }
}

/** Returns the key. A malformed record keeps the key of the subscriber it was made for. */
function keyOf(generated: GeneratedRecord): string {
  return generated.kind === 'malformed' ? generated.key : generated.record.servedMsisdn;
}

function messageFormat(encoding: 'avro' | 'json', schemaId: number | undefined): RecordFormat {
  if (encoding === 'json') return 'ndjson';
  return schemaId === undefined ? 'avro-message' : 'confluent-message';
}
