// Writes flow records to Kafka: one JSON object a line in, Avro (schemas/flow-record.avsc) out, keyed by MSISDN.
import { createReadStream, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import avro from 'avsc';
import { Kafka, logLevel } from 'kafkajs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    brokers: { type: 'string', default: 'localhost:9092' },
    topic: { type: 'string', default: 'flow-records' },
  },
});
const schema = JSON.parse(readFileSync(new URL('../../schemas/flow-record.avsc', import.meta.url), 'utf8'));
const type = avro.Type.forSchema(schema);
const optional = schema.fields.filter((field) => 'default' in field).map(({ name }) => [name, null]);

/** Returns the message of one record; null where the line is no flow record. */
function messageOf(line) {
  try {
    const record = { ...Object.fromEntries(optional), ...JSON.parse(line) };
    if (!type.isValid(record)) return null;
    // The key decides the partition: all records of a subscriber have to be in one.
    return { key: record.servedMsisdn, value: type.toBuffer(record) };
  } catch {
    return null;
  }
}

const kafka = new Kafka({ clientId: 'produce-records', brokers: values.brokers.split(','), logLevel: logLevel.ERROR });
// A batch that is sent again after a lost answer is in the log once.
const producer = kafka.producer({ idempotent: true });
await producer.connect();
let sent = 0;
let skipped = 0;
let messages = [];
const send = async () => {
  if (messages.length === 0) return;
  await producer.send({ topic: values.topic, acks: -1, messages });
  sent += messages.length;
  messages = [];
};
for (const file of positionals) {
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const message = messageOf(line);
    if (message === null) skipped += 1;
    else messages.push(message);
    if (messages.length === 1000) await send();
  }
}
await send();
await producer.disconnect();
console.log(`${sent} records written to ${values.topic}, ${skipped} lines skipped: no flow records`);
