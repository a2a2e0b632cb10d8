import avro from 'avsc';
import { FLOW_RECORD_SCHEMA } from './encode-avro.ts';

// The file format of Avro 1.11, "Object Container Files"; avsc's own encoder takes only values, one stream event each.
const headerType = avro.Type.forSchema({
  type: 'record',
  name: 'org.apache.avro.file.Header',
  fields: [
    { name: 'magic', type: { type: 'fixed', name: 'Magic', size: 4 } },
    { name: 'meta', type: { type: 'map', values: 'bytes' } },
    { name: 'sync', type: { type: 'fixed', name: 'Sync', size: 16 } },
  ],
});
const longType = avro.Type.forSchema('long');

/** Returns the header. `sync`: 16 bytes that end the header and every block. */
export function containerHeader(sync: Buffer): Buffer {
  return headerType.toBuffer({
    magic: Buffer.from('Obj\x01', 'latin1'),
    meta: { 'avro.schema': Buffer.from(FLOW_RECORD_SCHEMA), 'avro.codec': Buffer.from('null') },
    sync,
  });
}

/** Returns one block of encoded records. */
export function containerBlock(records: readonly Buffer[], sync: Buffer): Buffer {
  const size = records.reduce((sum, { length }) => sum + length, 0);
  return Buffer.concat([longType.toBuffer(records.length), longType.toBuffer(size), ...records, sync]);
}
