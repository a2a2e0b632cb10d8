import * as z from 'zod';
import { count, hasCredentials, isServerUrl, MIB, path, serverUrl, topicName } from './config-fields.ts';
import { sourceSchema } from './config-source-schema.ts';
import { tlsSchema } from './tls-schema.ts';

const storeSchema = z
  .strictObject({
    dir: path('Directory of the embedded store.').optional(),
    url: serverUrl('use username, and ZERORATE_STORE_PASSWORD or passwordFile')
      .optional()
      .describe('HTTP address of a ClickHouse server.'),
    database: z
      .string()
      .regex(/^[A-Za-z_]\w{0,63}$/, { error: 'expected a database name' })
      .optional()
      .describe('Database on the server; default zerorate.'),
    username: z.string().min(1).optional().describe('User on the server; default `default`.'),
    passwordFile: path('File that holds the password; or set ZERORATE_STORE_PASSWORD.').optional(),
    tls: tlsSchema.optional().describe('Certificates, with an https:// address.'),
    cluster: z
      .strictObject({
        name: z
          .string()
          .regex(/^[\w.-]{1,64}$/, { error: 'expected a cluster name' })
          .describe('Name of the cluster in the servers’ `remote_servers`.'),
        quorum: z
          .union([z.literal('auto'), count(2, 64)])
          .default('auto')
          .describe('Replicas that must have a block before it is booked; auto: the majority.'),
      })
      .optional()
      .describe('The servers are a cluster with replicas. Absent: one server.'),
  })
  .meta({ oneOf: [{ required: ['dir'] }, { required: ['url'] }] })
  .describe('Where everything is booked: an embedded store (dir) or a ClickHouse server (url).');

const quotaUpdatesSchema = z
  .strictObject({
    topic: topicName().optional().describe('Kafka topic.'),
    file: path('NDJSON file.').optional(),
    minIntervalMs: count(0, 60_000)
      .default(0)
      .describe(
        'Least time between two publications of a partition, or of all files. Updates wait, the newest of each subscriber and plan; one that says that a quota is used up or a threshold reached does not. 0: updates are published with their batch.',
      ),
  })
  .describe(
    'Where remaining quotas go, and how often. Default: the topic quota-updates, or quota-updates.ndjson in the store directory.',
  );

/** How every process of ours logs. */
export const logSchema = z
  .strictObject({
    level: z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
      .default('info')
      .describe('Least level.'),
    format: z.enum(['json', 'pretty']).default('json').describe('Lines for machines or for people.'),
  })
  .prefault({})
  .describe('Logging.');

/** The configuration file, `zerorate.yaml`. It holds no secrets. */
export const configSchema = z
  .strictObject({
    catalogue: path('The catalogue file.'),
    reload: z
      .strictObject({
        intervalMs: count(0, 3_600_000)
          .default(0)
          .describe('How often the catalogue file is looked at for another version; 0: only at SIGHUP.'),
      })
      .prefault({})
      .describe('Taking over another version of the catalogue while the engine runs.'),
    source: sourceSchema,
    store: storeSchema,
    quotaUpdates: quotaUpdatesSchema.optional(),
    pseudonymKey: z
      .strictObject({
        file: path(
          'File of at least 64 hex digits, or as `subscriber erase` has rewritten it; or set ZERORATE_PSEUDONYM_KEY.',
        ),
      })
      .optional()
      .describe("Key of the subscribers' pseudonyms. Absent with an embedded store: a development key is made."),
    signingKey: z
      .strictObject({ file: path('Key file, as `zerorate signing-key create` makes it.') })
      .optional()
      .describe('Key that `close` and `statement` sign statements with. Absent: statements are not signed.'),
    engine: z
      .strictObject({
        threads: count(1, 64)
          .default(1)
          .describe(
            'Threads that share the partitions of the topic, each with an engine; more than 1 needs source.kafka and store.url.',
          ),
      })
      .prefault({})
      .describe('How much of a machine one process uses.'),
    batch: z
      .strictObject({
        maxRecords: count(1, 1_000_000).default(100_000).describe('Records of one batch.'),
        maxBytes: count(1024, 1024 * MIB)
          .default(64 * MIB)
          .describe('Bytes of the records of one batch.'),
        maxTotalBytes: count(MIB, 64 * 1024 * MIB)
          .default(512 * MIB)
          .describe(
            'Memory that the open batches of all partitions may take together, in equal parts for each of engine.threads, at least 1 MiB for each: above it they are written before they are full.',
          ),
        maxDelayMs: count(1, 60_000).default(500).describe('How long a record may wait for its batch to fill.'),
      })
      .prefault({})
      .describe('What one insert books.'),
    duplicates: z
      .strictObject({
        windowRecords: count(1, 100_000_000).default(1_000_000).describe('Identities remembered for each partition.'),
      })
      .prefault({})
      .describe('How far back duplicates are known.'),
    credit: z
      .strictObject({
        checkIntervalMs: count(100, 3_600_000)
          .default(1000)
          .describe("How often the sponsors' balances are compared with their credit limits."),
      })
      .prefault({})
      .describe('Suspending sponsors whose credit is used up.'),
    closing: z
      .strictObject({
        graceDelayMs: count(0, 90 * 86_400_000)
          .default(0)
          .describe(
            'How long after the end of its last period, in the plan’s time zone, a month can be closed. Until then records that come late are the month’s own.',
          ),
      })
      .prefault({})
      .describe('Closing the months of sponsors.'),
    limits: z
      .strictObject({
        maxRecordBytes: count(64, 16 * MIB)
          .default(65_536)
          .describe('A larger record is rejected.'),
        rejectionPayloadBytes: count(0, 16 * MIB)
          .default(4096)
          .describe("Bytes kept of a rejected record's payload."),
        maxFutureSkewMs: count(0, 3_652_500 * 86_400)
          .default(86_400_000)
          .describe(
            "How much later than its log's time (Kafka: its timestamp; files: the end of the booking date, UTC) a record's " +
              'times may be before it is rejected as time_out_of_range; 0: without a limit.',
          ),
      })
      .prefault({})
      .describe('Limits on records.'),
    leakage: z
      .strictObject({
        maxRows: count(0, 10_000)
          .default(100)
          .describe(
            'Rows that each batch keeps of the octets that no sponsor pays for, by reason, remote network, tag and node: the ' +
              'largest ones, and the rest as one sum for each application and reason; 0: keep none.',
          ),
      })
      .prefault({})
      .describe('Where unsponsored traffic comes from (view `leakage`).'),
    msisdn: z
      .strictObject({
        acceptPlus: z.boolean().default(false).describe('Read +49170… as 49170….'),
        internationalPrefix: z
          .string()
          .regex(/^0\d{0,4}$/, { error: 'expected 1 to 5 digits that begin with 0, in quotes: "00"' })
          .nullable()
          .default(null)
          .describe('International prefix, "00": read 0049170… as 49170…. Absent: none is read.'),
      })
      .prefault({})
      .describe('Forms of MSISDNs beside the normal one (E.164 digits without +), which they are brought to.'),
    health: z
      .strictObject({
        port: count(1, 65_535).describe('TCP port of GET /health/live, GET /health/ready and GET /metrics.'),
        host: z.string().min(1).default('127.0.0.1').describe('Address to listen on.'),
        exitDelayMs: count(0, 600_000)
          .default(30_000)
          .describe(
            'How long an engine that had to halt still answers health checks and scrapes, so that its reason is seen.',
          ),
      })
      .optional()
      .describe('Liveness, readiness and metrics over HTTP. Absent: none.'),
    sequences: z
      .strictObject({
        checkIntervalMs: count(0, 86_400_000)
          .default(60_000)
          .describe('How often metrics count the sequence numbers that no record of a node had; 0: never.'),
      })
      .prefault({})
      .describe('Watching for records that never arrived.'),
    tracing: z
      .strictObject({
        otlpUrl: z
          .string()
          .refine(isServerUrl, { error: 'expected http://host:port or https://host:port' })
          .refine((text) => !hasCredentials(text), {
            error: 'a URL with a user or password in it is refused: use OTEL_EXPORTER_OTLP_HEADERS',
          })
          .optional()
          .describe('Address of an OpenTelemetry collector (OTLP over HTTP), without v1/traces.'),
      })
      .prefault({})
      .describe('Spans of batches. Without an address here or in OTEL_EXPORTER_OTLP_ENDPOINT there are none.'),
    log: logSchema,
  })
  .describe('The configuration of the zerorate engine.');

export type ConfigDocument = z.output<typeof configSchema>;
export type ConfigInput = z.input<typeof configSchema>;
