import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FLOW_RECORD_SCHEMA } from '../../src/generator/encode-avro.ts';

/** The part of Confluent's registry that readers of `AvroConfluent` ask: every id is the flow record's schema. */
export async function startSchemaRegistry(): Promise<{ url: string; stop: () => void }> {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/vnd.schemaregistry.v1+json');
    response.end(JSON.stringify({ schema: FLOW_RECORD_SCHEMA }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, stop: () => server.close() };
}
