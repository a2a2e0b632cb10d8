import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import avro, { type Schema } from 'avsc';
import kafkajs, { logLevel, type Producer } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { generateRecords } from '../../src/generator/generate-records.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import type { FlowRecord } from '../../src/rating/flow-record.ts';
import { type KafkaServer, startKafka } from '../servers/kafka-server.ts';
import { type RegistryServer, registerSchema, startRegistry } from '../servers/registry-server.ts';
import { runUntilBooked } from './run-until-booked.fixture.ts';
import { Zerorate } from './zerorate.fixture.ts';

const TOPIC = 'evolving';
const SUBJECT = `${TOPIC}-value`;
const CATALOGUE = packagePath('fixtures/demo/catalogue.yaml');
const RECORDS = [
  ...generateRecords({
    seed: 11,
    records: 600,
    subscribers: 20,
    targets: [{ tags: ['LUMEN-LIVE'], prefixes: ['192.0.2.128/25'] }],
    startTimeMs: Date.UTC(2026, 10, 1),
    endTimeMs: Date.UTC(2026, 10, 2),
    unmatched: 0,
  }),
].map((generated) => (generated as { record: FlowRecord }).record);

interface RecordSchema {
  fields: { name: string; type: unknown; default?: unknown; aliases?: string[] }[];
}
const OWN: RecordSchema = JSON.parse(readFileSync(packagePath('schemas/flow-record.avsc'), 'utf8'));
const renamed = (before: string, name: string): RecordSchema => ({
  ...OWN,
  fields: OWN.fields.map((field) => (field.name === before ? { ...field, name, aliases: [before] } : field)),
});
const ADDED = { ...OWN, fields: [...OWN.fields, { name: 'apn', type: 'string', default: 'internet' }] };
const REMOVED = { ...OWN, fields: OWN.fields.filter(({ name }) => name !== 'serviceIdentifier') };
const RENAMED = renamed('servedMsisdn', 'subscriberNumber');
const INCOMPATIBLE = { ...OWN, fields: OWN.fields.filter(({ name }) => name !== 'downlinkOctets') };

/** Between engine and registry, to part them. */
class Wire {
  isCut = false;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  constructor(to: number) {
    this.#server = createServer((near) => {
      this.#sockets.add(near.on('error', () => {}));
      if (this.isCut) {
        near.destroy();
        return;
      }
      const far = connect(to, '127.0.0.1').on('error', () => near.destroy());
      near.pipe(far).pipe(near);
    });
  }
  async open(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }
  cut(): void {
    this.isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }
  close(): void {
    this.cut();
    this.#server.close();
  }
}

let broker: KafkaServer;
let registry: RegistryServer;
let zerorate: Zerorate;
let producer: Producer;
let wire: Wire;

beforeAll(async () => {
  [broker, registry, zerorate] = await Promise.all([startKafka(), startRegistry(), Zerorate.build()]);
  const kafka = new kafkajs.Kafka({ brokers: broker.brokers, logLevel: logLevel.NOTHING });
  await kafka.admin().createTopics({ topics: [{ topic: TOPIC, numPartitions: 1, replicationFactor: 1 }] });
  producer = kafka.producer();
  await producer.connect();
  const { port, pathname } = new URL(registry.url);
  wire = new Wire(Number(port));
  await configure('evolving.yaml', `http://127.0.0.1:${await wire.open()}${pathname}`);
});
afterAll(async () => {
  wire?.close();
  await producer?.disconnect();
  await Promise.all([broker?.stop(), registry?.stop(), zerorate?.remove()]);
});

function configure(name: string, url: string, schemas = '{}'): Promise<void> {
  return writeFile(
    zerorate.path(name),
    `catalogue: ${CATALOGUE}
source:
  kafka:
    brokers: ["${broker.brokers.join('", "')}"]
    topic: ${TOPIC}
    groupId: ${TOPIC}
    fetchWaitTimeoutMs: 100
    sessionTimeoutMs: 6000
    heartbeatIntervalMs: 1000
    avro: { header: confluent, registry: { url: "${url}" }, schemas: ${schemas} }
store: { dir: evolved }
quotaUpdates: { topic: ${TOPIC}-quota }
batch: { maxRecords: 70, maxDelayMs: 100 }
`,
  );
}

/** Each record as its schema has it. */
async function produce(records: readonly FlowRecord[], id: number, schema: RecordSchema): Promise<void> {
  const type = avro.Type.forSchema(schema as unknown as Schema);
  const header = Buffer.alloc(5);
  header.writeUInt32BE(id, 1);
  const messages = records.map((record) => {
    const written = { ...record, subscriberNumber: record.servedMsisdn, apn: schema === ADDED ? 'ims' : null };
    return { key: record.servedMsisdn, value: Buffer.concat([header, type.toBuffer(written)]) };
  });
  await producer.send({ topic: TOPIC, messages });
}

const run = (records: number) => runUntilBooked(zerorate, ['evolving.yaml'], records);
const charges = (store: string) =>
  zerorate.rows(
    'SELECT sponsor_id AS sponsor, reason, count() AS n, sum(sponsored_octets) AS octets, sum(charge_micros) AS micros ' +
      'FROM charges GROUP BY sponsor, reason ORDER BY sponsor, reason',
    store,
  );
const rejected = () =>
  zerorate.rows<{ reason: string; n: number }>(
    'SELECT reason, count() AS n FROM rejections GROUP BY reason ORDER BY reason',
    'evolved',
  );

test('schemas that change in the middle of a topic: every record is charged as if it had one', async () => {
  const ids: number[] = [];
  for (const schema of [OWN, ADDED]) ids.push(await registerSchema(registry.url, SUBJECT, schema));
  await produce(RECORDS.slice(0, 100), ids[0], OWN);
  await produce(RECORDS.slice(100, 200), ids[1], ADDED);
  await produce(RECORDS.slice(200, 250), ids[0], OWN);
  expect(await run(250)).toBe(250);

  for (const schema of [REMOVED, RENAMED]) ids.push(await registerSchema(registry.url, `${SUBJECT}-2`, schema));
  await produce(RECORDS.slice(250, 350), ids[2], REMOVED);
  await produce(RECORDS.slice(350, 400), ids[3], RENAMED);
  await produce(RECORDS.slice(400, 450), ids[1], ADDED);
  expect(await run(200)).toBe(200);

  expect(await rejected()).toEqual([]);
  await writeFile(
    zerorate.path('same.ndjson'),
    RECORDS.slice(0, 450)
      .map((record) => `${JSON.stringify(record)}\n`)
      .join(''),
  );
  const args = ['run', '--catalogue', CATALOGUE, '--source', 'same.ndjson', '--store', 'same'];
  expect((await zerorate.run(args)).code).toBe(0);
  expect((await charges('same')).length).toBeGreaterThan(0);
  expect(await charges('evolved')).toEqual(await charges('same'));
});

test('a registry that does not answer is waited for, and nothing is rejected because of it', async () => {
  const id = await registerSchema(registry.url, `${SUBJECT}-3`, renamed('nodeId', 'gateway'));
  const type = avro.Type.forSchema(renamed('nodeId', 'gateway') as unknown as Schema);
  wire.cut();
  // Some records before the first of the new id: they are booked while the rest waits.
  await produce(RECORDS.slice(450, 460), 1, OWN);
  const header = Buffer.from([0, 0, 0, 0, id]);
  const messages = RECORDS.slice(460, 500).map((record) => ({
    key: record.servedMsisdn,
    value: Buffer.concat([header, type.toBuffer({ ...record, gateway: record.nodeId })]),
  }));
  await producer.send({ topic: TOPIC, messages });
  const running = run(50);
  await pause(6000);
  // Of the records that wait none is booked, and none rejected: the run ends at 50.
  wire.isCut = false;
  expect(await running).toBe(50);
  expect(await rejected()).toEqual([]);
});

test('an id that is not registered rejects, until it is; so does a schema of no flow record', async () => {
  const incompatible = await registerSchema(registry.url, `${SUBJECT}-4`, INCOMPATIBLE);
  const later = incompatible + 1;
  await produce(RECORDS.slice(500, 510), incompatible, INCOMPATIBLE);
  await produce(RECORDS.slice(510, 530), later, OWN);
  expect(await run(30)).toBe(30);
  const byReason = [
    { reason: 'incompatible_schema', n: 10 },
    { reason: 'unknown_schema', n: 20 },
  ];
  expect(await rejected()).toEqual(byReason);
  expect(await registerSchema(registry.url, `${SUBJECT}-5`, { ...OWN, doc: 'registered late' })).toBe(later);
  await produce(RECORDS.slice(530, 560), later, OWN);
  expect(await run(30)).toBe(30);
  expect(await rejected()).toEqual(byReason);
});

test('schemas as Spark, ksqlDB and Java write them are read; a null where a value must be is missing_field', async () => {
  const names = ['spark-top-level-record', 'renamed-record', 'default-of-another-branch'];
  for (const [at, name] of names.entries()) {
    const schema: RecordSchema = JSON.parse(readFileSync(packagePath(`fixtures/cases/avro/${name}.avsc`), 'utf8'));
    const id = await registerSchema(registry.url, `${SUBJECT}-case-${at}`, schema);
    // avsc, which writes here, takes no default of another branch.
    const plain = { ...schema, fields: schema.fields.map(({ default: _, ...field }) => field) };
    await produce(RECORDS.slice(570 + at * 10, 580 + at * 10), id, { ...plain, fields: plain.fields });
    if (at > 0) continue;
    await produce([{ ...RECORDS[599], uplinkOctets: null as unknown as number }], id, plain);
  }
  expect(await run(31)).toBe(31);
  expect(await rejected()).toEqual([
    { reason: 'incompatible_schema', n: 10 },
    { reason: 'missing_field', n: 1 },
    { reason: 'unknown_schema', n: 20 },
  ]);
});

test('replay and audit decide as was decided then, without the registry', async () => {
  wire.cut();
  const replay = await zerorate.run(['replay', '--verify', '--config', 'evolving.yaml']);
  expect(replay.stdout).toMatch(new RegExp(`${TOPIC}-0 +\\d+ +591 `));
  expect(replay.code, replay.stdout + replay.stderr).toBe(0);
  const audit = await zerorate.run(['audit', '--against-source', '--config', 'evolving.yaml']);
  expect(audit.code, audit.stdout + audit.stderr).toBe(0);
  expect(audit.stdout).not.toContain('unread');
});

test('configuration that contradicts a kept schema is refused, and what is booked is replayed with what was kept', async () => {
  const [up, down] = ['uplinkOctets', 'downlinkOctets'];
  const swapped = OWN.fields.map((field) => ({
    ...field,
    name: field.name === up ? down : field.name === down ? up : field.name,
  }));
  await writeFile(zerorate.path('swapped.avsc'), JSON.stringify({ ...OWN, fields: swapped }));
  await configure('contradicting.yaml', 'http://127.0.0.1:9', '{ 1: swapped.avsc }');
  const { code, stderr } = await zerorate.run(['run', '--config', 'contradicting.yaml']);
  expect(stderr).toMatch(/source\.kafka\.avro\.schemas\.1: .*swapped\.avsc contradicts the schema/);
  expect(code).toBeGreaterThan(0);
  const replay = await zerorate.run(['replay', '--verify', '--config', 'contradicting.yaml']);
  expect(replay.code, replay.stdout + replay.stderr).toBe(0);
  const audit = await zerorate.run(['audit', '--against-source', '--config', 'contradicting.yaml']);
  expect(audit.code, audit.stdout + audit.stderr).toBe(0);
});

test('a registry that has another schema under an id halts the engine, and no record is read with it', async () => {
  const other = await startRegistry();
  try {
    // Its first id is what the second was.
    if (other.origin === 'REGISTRY_URL') return;
    await registerSchema(other.url, SUBJECT, ADDED);
    await configure('renumbered.yaml', other.url);
    await produce(RECORDS.slice(560, 570), 1, OWN);
    const { code, stderr } = await zerorate.run(['run', '--config', 'renumbered.yaml']);
    expect(stderr).toMatch(/schema 1: the schema registry has another schema .* \[schema_changed\]\n$/);
    expect(code).toBe(1);
    expect(await rejected()).toHaveLength(3);
  } finally {
    await other.stop();
  }
});
