import { createKafka } from '../../src/platform/kafka/kafka.ts';
import { kafkaSource } from '../../src/sources/kafka/kafka-source.ts';
import { FETCH } from '../engine-config.ts';
import { TOPIC } from './dataset.ts';

// The engine's own ceiling: its source reads the topic and frames every record (where key and value begin and end). Nothing is
// decoded, rated or written, and every fetch is taken at once.
const [broker, groupId] = process.argv.slice(2);
const nothing = () => {};
let records = 0;
let valueBytes = 0;
await kafkaSource({
  ...FETCH,
  kafka: createKafka({ brokers: [broker], clientId: 'bench' }),
  topic: TOPIC,
  groupId,
  decode: () => {
    throw new Error('nothing is decoded here');
  },
  // As by default in the engine.
  maxRecordBytes: 65_536,
  sessionTimeoutMs: 30_000,
  rebalanceTimeoutMs: 60_000,
  maxWaitTimeInMs: FETCH.fetchWaitTimeoutMs,
  logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
}).run({
  assign: async () => 0,
  async deliver(_, framed) {
    for (const { valueStart, valueEnd } of framed) {
      records++;
      valueBytes += valueEnd - valueStart;
    }
    process.stdout.write(`${JSON.stringify({ records, valueBytes })}\n`);
  },
  flush: async () => {},
  revoke: async () => {},
});
