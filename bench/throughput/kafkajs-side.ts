import { readFileSync } from 'node:fs';
import avro from 'avsc';
import { Kafka, logLevel } from 'kafkajs';
import { readAllCodecs } from '../../src/platform/kafka/kafka-codecs.ts';
import { kafkaSocket, patchConnectionAnswers } from '../../src/platform/kafka/patches/patch-connection-answers.ts';
import { patchAbortedTransactions } from '../../src/platform/kafka/patches/patch-record-sets.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { TOPIC } from './dataset.ts';

// The ceiling: what the client can read at all, and what is left of that when avsc decodes every record into an object.
const [broker, groupId, mode] = process.argv.slice(2);
const HEADER_OCTETS = 5;
const type = avro.Type.forSchema(JSON.parse(readFileSync(packagePath('schemas/flow-record.avsc'), 'utf8')));
// Its records as kafkajs decodes them: of the patches, those that consumers of single records gain from too.
patchAbortedTransactions();
patchConnectionAnswers();
readAllCodecs();
const kafka = new Kafka({
  brokers: [broker],
  clientId: 'bench',
  socketFactory: kafkaSocket,
  logLevel: logLevel.NOTHING,
});
const consumer = kafka.consumer({ groupId, maxBytesPerPartition: 8 * 2 ** 20 });
let records = 0;
let octets = 0;
await consumer.connect();
await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
await consumer.run({
  eachBatch: async ({ batch: { messages } }) => {
    if (mode === 'decode') {
      for (const { value } of messages) {
        const { uplinkOctets, downlinkOctets } = type.fromBuffer((value as Buffer).subarray(HEADER_OCTETS));
        octets += uplinkOctets + downlinkOctets;
      }
    }
    records += messages.length;
    process.stdout.write(`${JSON.stringify(mode === 'decode' ? { records, octets } : { records })}\n`);
  },
});
