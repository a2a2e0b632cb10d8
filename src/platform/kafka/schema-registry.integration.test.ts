import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import avro from 'avsc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RegistryServer, registerSchema, startRegistry } from '../../../test/servers/registry-server.ts';
import { Secret } from '../config/secret.ts';
import { schemaRegistry } from './schema-registry.ts';

const SCHEMA = {
  type: 'record',
  name: 'R',
  namespace: 'n',
  fields: [
    { name: 'a', type: 'long', aliases: ['b'] },
    { name: 'c', type: ['null', 'string'], default: null },
  ],
};

let server: RegistryServer;
beforeAll(async () => {
  server = await startRegistry();
});
afterAll(() => server?.stop());

test('gives schemas by id, with aliases and defaults, and null for an id that it has not', async () => {
  const id = await registerSchema(server.url, 'first-value', SCHEMA);
  const registry = schemaRegistry({ url: `${server.url}/` });
  const text = (await registry.schemaOf(id)) ?? '';
  expect(JSON.parse(text).fields).toEqual(SCHEMA.fields);
  expect(avro.Type.forSchema(JSON.parse(text)).equals(avro.Type.forSchema(SCHEMA as avro.Schema))).toBe(true);
  expect(await registry.schemaOf(id)).toBe(text);
  expect(await registry.schemaOf(999_999)).toBe(null);
  registry.close();
});

test('gives a schema of Java as it is, with what it refers to in it', async () => {
  const cell = { type: 'record', name: 'Cell', namespace: 'net', fields: [{ name: 'id', type: 'long' }] };
  const schema = {
    type: 'record',
    name: 'Flow',
    namespace: 'my-carrier.flows',
    fields: [
      { name: 'from', type: 'net.Cell' },
      { name: 'to', type: ['null', 'net.Cell'], default: '' },
      { name: 'at', type: { type: 'long', logicalType: 'timestamp-micros' } },
    ],
  };
  const answers = {
    '/schemas/ids/3': {
      schema: JSON.stringify(schema),
      references: [{ name: 'net.Cell', subject: 'cell-value', version: 1 }],
    },
    '/subjects/cell-value/versions/1': { schema: JSON.stringify(cell), id: 1, version: 1, subject: 'cell-value' },
  };
  const http = createServer(({ url = '' }, response) => {
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify(answers[url as keyof typeof answers]));
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const registry = schemaRegistry({ url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` });
  const document = JSON.parse((await registry.schemaOf(3)) ?? '');
  expect(document.fields).toEqual([{ name: 'from', type: cell }, ...schema.fields.slice(1)]);
  expect(document).toMatchObject({ name: 'Flow', namespace: 'my-carrier.flows', type: 'record' });
  registry.close();
  http.closeAllConnections();
  http.close();
});

test('once it is closed nothing is asked, not even by who asked before the client was loaded', async () => {
  let asked = 0;
  const http = createServer(() => asked++).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const registry = schemaRegistry({ url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` });
  const answer = registry.schemaOf(1);
  registry.close();
  await expect(answer).rejects.toMatchObject({ code: 'registry_unavailable', canRetry: true });
  await expect(registry.schemaOf(2)).rejects.toMatchObject({ code: 'registry_unavailable' });
  expect(asked).toBe(0);
  http.closeAllConnections();
  http.close();
});

test('gives a schema that is not Avro as one that resolves to none', async () => {
  const id = await registerSchema(
    server.url,
    'json-value',
    { $schema: 'http://json-schema.org/draft-07/schema#', type: 'object', properties: {} },
    'JSON',
  );
  const registry = schemaRegistry({ url: server.url });
  const text = (await registry.schemaOf(id)) ?? '';
  expect(() => avro.Type.forSchema(JSON.parse(text))).toThrow('not an Avro schema');
  registry.close();
});

test('a wrong address is no unknown id, and no answer is no registry', async () => {
  const wrong = schemaRegistry({ url: server.url.replace('ccompat', 'elsewhere') });
  await expect(wrong.schemaOf(1)).rejects.toMatchObject({ code: 'registry_refused', canRetry: false });
  const silent = schemaRegistry({ url: 'http://127.0.0.1:9' });
  await expect(silent.schemaOf(1)).rejects.toMatchObject({ code: 'registry_unavailable', canRetry: true });
  wrong.close();
  silent.close();
});

test.each<[string, number, string, object]>([
  ['a login that is refused', 401, '{"error_code":401,"message":"no"}', { code: 'registry_refused' }],
  ['a registry that cannot now', 503, '{"error_code":50301,"message":"no"}', { code: 'registry_unavailable' }],
  ['too many requests', 429, '', { code: 'registry_unavailable', canRetry: true }],
  ["a proxy's page", 200, '<html>log in</html>', { code: 'registry_refused' }],
  ['a 404 of no registry', 404, '{"message":"no such page"}', { code: 'registry_refused' }],
])('%s is distinguished', async (_case, status, body, error) => {
  let authorization: string | undefined;
  const http: Server = createServer((request, response) => {
    authorization = request.headers.authorization;
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const registry = schemaRegistry({ url, username: 'user', password: new Secret('pass:wörd') });
  await expect(registry.schemaOf(7)).rejects.toMatchObject(error);
  expect(authorization).toBe(`Basic ${Buffer.from('user:pass:wörd').toString('base64')}`);
  registry.close();
  http.closeAllConnections();
  http.close();
});
