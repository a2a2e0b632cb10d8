import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openEmbeddedStore } from '../../src/platform/clickhouse/embedded-store.ts';
import { applications, TOPIC } from './dataset.ts';

// What a user would build with ClickHouse alone: its Kafka engine, dictionaries for prefixes and tags, and a view that
// classifies and prices into a MergeTree. It keeps no quota, and a record may come twice or not at all after a crash.
const [broker, group, registry] = process.argv.slice(2);
const LOOK_EVERY_MS = 50;

const store = await openEmbeddedStore(await mkdtemp(join(tmpdir(), 'zerorate-bench-')), { create: true });
const all = applications();
const values = (rows: string[]) => rows.join(', ');
const price = (text: string) => Math.round(Number(text) * 1e6);

await store.command('CREATE TABLE tag_list (tag String, application_id String) ENGINE = Memory');
await store.command('CREATE TABLE prefix_list (prefix String, application_id String) ENGINE = Memory');
await store.command(
  'CREATE TABLE price_list (application_id String, sponsor_id String, micros UInt64) ENGINE = Memory',
);
await store.command(`INSERT INTO tag_list VALUES ${values(all.map(({ id, tags }) => `('${tags[0]}', '${id}')`))}`);
await store.command(
  `INSERT INTO prefix_list VALUES ${values(all.map(({ id, prefixes }) => `('${prefixes[0]}', '${id}')`))}`,
);
await store.command(
  `INSERT INTO price_list VALUES ${values(all.map(({ id, sponsor, pricePerMiB }) => `('${id}', '${sponsor}', ${price(pricePerMiB)})`))}`,
);
const dictionary = (name: string, columns: string, key: string, layout: string) =>
  `CREATE DICTIONARY ${name}_of (${columns}) PRIMARY KEY ${key} ` +
  `SOURCE(CLICKHOUSE(TABLE '${name}_list')) LAYOUT(${layout}) LIFETIME(0)`;
await store.command(dictionary('tag', 'tag String, application_id String', 'tag', 'COMPLEX_KEY_HASHED()'));
await store.command(dictionary('prefix', 'prefix String, application_id String', 'prefix', 'IP_TRIE()'));
await store.command(
  dictionary(
    'price',
    'application_id String, sponsor_id String, micros UInt64',
    'application_id',
    'COMPLEX_KEY_HASHED()',
  ),
);
await store.command(`
  CREATE TABLE charges (node_id LowCardinality(String), local_sequence_number Int64, msisdn String, end_time DateTime64(3),
    application_id LowCardinality(String), sponsor_id LowCardinality(String), octets UInt64, charge_micros UInt64)
  ENGINE = MergeTree ORDER BY (sponsor_id, application_id, end_time)`);
await store.command(`
  CREATE TABLE queue (nodeId String, localSequenceNumber Int64, servedMsisdn String, endTime DateTime64(3), remoteIp String,
    zeroRatingTag Nullable(String), uplinkOctets Int64, downlinkOctets Int64)
  ENGINE = Kafka SETTINGS kafka_broker_list = '${broker}', kafka_topic_list = '${TOPIC}', kafka_group_name = '${group}',
    kafka_format = 'AvroConfluent', format_avro_schema_registry_url = '${registry}', kafka_num_consumers = 2,
    kafka_thread_per_consumer = 1, kafka_max_block_size = 262144, kafka_poll_max_batch_size = 65536`);
await store.command(`
  CREATE MATERIALIZED VIEW rate TO charges AS
  WITH dictGetOrDefault('tag_of', 'application_id', tuple(ifNull(zeroRatingTag, '')), '') AS by_tag,
    dictGetOrDefault('prefix_of', 'application_id', tuple(toIPv4OrDefault(remoteIp)), '') AS by_prefix,
    if(by_tag != '', by_tag, by_prefix) AS application,
    toUInt64(uplinkOctets + downlinkOctets) AS both_octets
  SELECT nodeId AS node_id, localSequenceNumber AS local_sequence_number, servedMsisdn AS msisdn, endTime AS end_time,
    application AS application_id,
    dictGetOrDefault('price_of', 'sponsor_id', tuple(application), '') AS sponsor_id,
    both_octets AS octets,
    intDiv(octets * dictGetOrDefault('price_of', 'micros', tuple(application), toUInt64(0)) + 524288, 1048576) AS charge_micros
  FROM queue`);
for (;;) {
  const [row] = await store.query<{ records: number; octets: number; charged: number; chargeMicros: number }>(
    "SELECT count() AS records, sum(octets) AS octets, countIf(application_id != '') AS charged, sum(charge_micros) AS chargeMicros FROM charges",
  );
  process.stdout.write(`${JSON.stringify(row)}\n`);
  await pause(LOOK_EVERY_MS);
}
