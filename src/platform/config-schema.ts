import * as z from 'zod';

const MIB = 2 ** 20;

const path = (what: string) => z.string().min(1).describe(`${what} Relative to this file.`);
const count = (min: number, max: number) => z.int().min(min).max(max);

const tlsSchema = z.strictObject({
  ca: path(
    "Certificates of the authorities that may have signed the server's, PEM; absent: those that Node.js trusts.",
  ).optional(),
  cert: path("The client's certificate, PEM.").optional(),
  key: path("The client's private key, PEM.").optional(),
});

const registrySchema = z
  .strictObject({
    url: serverUrl('use username, and ZERORATE_REGISTRY_PASSWORD or passwordFile').describe(
      'Where /schemas/ids/ID is found, as with Confluent: https://host:8081; Apicurio: https://host:8080/apis/ccompat/v7.',
    ),
    username: z.string().min(1).optional().describe('User; absent: no login.'),
    passwordFile: path('File that holds the password; or set ZERORATE_REGISTRY_PASSWORD.').optional(),
    ssl: tlsSchema.optional().describe('Certificates, with an https:// address.'),
  })
  .describe('Schema registry that has the schemas of ids which `schemas` does not name.');

const avroSchema = z
  .strictObject({
    header: z
      .enum(['auto', 'confluent', 'single-object', 'bare'])
      .default('auto')
      .describe(
        'Header before each datum: of a schema registry (confluent), of single-object encoding (single-object), none (bare), or by its first octets (auto).',
      ),
    idOctets: z
      .union([z.literal(4), z.literal(8)])
      .default(4)
      .describe(
        'Octets of a schema id in the header of a registry: 4 as Confluent has it, 8 as Apicurio does by default.',
      ),
    schemas: z
      .record(
        z.string().regex(/^(0|[1-9]\d{0,9})$/, { error: 'expected a schema id: a whole number' }),
        z.string().min(1),
      )
      .default({})
      .describe("Writers' schemas: id in the Confluent header to path of the .avsc file. Relative to this file."),
    registry: registrySchema.optional(),
    bareSchema: path("Schema (.avsc) of records without a header; absent: the flow record's own.").optional(),
  })
  .prefault({})
  .describe('How Avro values are read.');

export const sslSchema = z
  .union([z.boolean(), tlsSchema])
  .default(false)
  .describe('TLS: true, or the certificates to use.');

/** For those who do not fetch tokens. */
export const passwordSaslSchema = z
  .strictObject({
    mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).describe('SASL mechanism.'),
    username: z.string().min(1).describe('User.'),
    passwordFile: path('File that holds the password; or set ZERORATE_KAFKA_SASL_PASSWORD.').optional(),
  })
  .describe('SASL authentication.');

const saslSchema = z
  .strictObject({
    mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer']).describe('SASL mechanism.'),
    username: z.string().min(1).optional().describe('User; not with oauthbearer.'),
    passwordFile: path('File that holds the password; or set ZERORATE_KAFKA_SASL_PASSWORD.').optional(),
    tokenUrl: z
      .string()
      .refine((text) => URL.canParse(text) && /^https:\/\//i.test(text), { error: 'expected https://host/path' })
      .refine((text) => !hasCredentials(text), {
        error: 'a URL with a secret in it is refused: use ZERORATE_KAFKA_OAUTH_CLIENT_SECRET or clientSecretFile',
      })
      .optional()
      .describe('oauthbearer: where tokens are fetched, by the client credentials grant (RFC 6749, 4.4).'),
    clientId: z.string().min(1).optional().describe('oauthbearer: name of the client there.'),
    clientSecretFile: path(
      'oauthbearer: file that holds its secret; or set ZERORATE_KAFKA_OAUTH_CLIENT_SECRET.',
    ).optional(),
    scope: z.string().min(1).optional().describe('oauthbearer: scope to ask for; several with spaces between.'),
    ssl: tlsSchema.optional().describe("oauthbearer: certificates for tokenUrl's host."),
  })
  .describe('SASL authentication.');

const kafkaSchema = z
  .strictObject({
    brokers: z
      .array(z.string().regex(/^(\[[\da-fA-F:.]+\]|[^\s:/@]+):\d{1,5}$/, { error: 'expected host:port' }))
      .min(1)
      .describe('Bootstrap brokers, host:port.'),
    topic: z
      .string()
      .regex(/^[\w.-]{1,249}$/, { error: 'expected a topic name' })
      .describe('Topic of the flow records.'),
    groupId: z.string().min(1).default('zerorate').describe('Consumer group.'),
    clientId: z.string().min(1).default('zerorate').describe('Name of this client in the logs of the brokers.'),
    valueFormat: z.enum(['avro', 'json']).default('avro').describe('How a record is encoded.'),
    avro: avroSchema,
    ssl: sslSchema,
    sasl: saslSchema.optional(),
    sessionTimeoutMs: count(1000, 1_800_000)
      .default(30_000)
      .describe('The group takes an engine for dead that was silent for so long.'),
    heartbeatIntervalMs: count(100, 600_000).default(3000).describe('At most a third of sessionTimeoutMs.'),
    rebalanceTimeoutMs: count(1000, 1_800_000)
      .default(60_000)
      .describe('How long a rebalance waits for an engine to book what it holds.'),
    maxWaitMs: count(1, 60_000).default(500).describe('How long a broker may wait for more records.'),
    maxOctetsPerPartition: count(1024, 1024 * MIB)
      .default(4 * MIB)
      .describe('Most octets of one fetch from one partition.'),
    maxBatchOctets: count(1024, 2048 * MIB - 1)
      .default(128 * MIB)
      .describe('Most octets of one record batch once it is decompressed; a larger one halts the engine.'),
  })
  .describe('Flow records from a Kafka topic.');

const contentTypes = (by: string) =>
  z
    .record(
      z.string().regex(/^(0|[1-9]\d{0,9})$/, { error: `expected a ${by}: a whole number` }),
      z.enum(['text', 'voice', 'image', 'video', 'other']),
    )
    .default({})
    .describe(`Content type by ${by}.`);

const cdrSchema = z
  .strictObject({
    contentTypes: z
      .strictObject({
        serviceIdentifiers: contentTypes('service identifier'),
        ratingGroups: contentTypes('rating group').describe(
          'Content type by rating group, where the service identifier says none.',
        ),
      })
      .prefault({})
      .describe('What the containers of CDRs hold: a CDR does not say. Keep it as it is while a file may come again.'),
  })
  .describe('How files of CDRs are mapped to flow records.');

export const goflow2Schema = z
  .strictObject({
    terminals: path('Whose an address was, and when: CSV of prefix,from,to,msisdn.'),
    unsampled: z
      .array(z.string().min(1))
      .optional()
      .describe(
        'Exporters that are known not to sample: address, or address/observation domain. A sampling_rate of 0, which is unknown, is rejected from all others; absent: it is taken for none.',
      ),
    activeTimeoutMs: count(0, 86_400_000)
      .default(1_800_000)
      .describe(
        "The exporters' active timeout. A flow that has no times but its export's is rejected if its address changed hands within this long before.",
      ),
  })
  .describe('How flows of goflow2 become flow records.');

const sourceSchema = z
  .strictObject({
    files: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe('Files or directories of flow records. Relative to this file.'),
    format: z
      .enum(['ndjson', 'csv', 'avro', 'cdr', 'goflow2'])
      .optional()
      .describe("The files' format; absent: by their endings."),
    final: z
      .boolean()
      .optional()
      .describe(
        'Nothing more is written to the files: a last line without its line end, and a CDR or block that is cut, are records.',
      ),
    rewritten: z
      .boolean()
      .optional()
      .describe(
        'Files are rewritten with all of their records each time: one that is not as it was booked is read from its start, and ' +
          'what it had before is dropped as duplicates. Absent: such a file is refused.',
      ),
    cdr: cdrSchema.optional(),
    goflow2: goflow2Schema.optional(),
    kafka: kafkaSchema.optional(),
  })
  .meta({ oneOf: [{ required: ['files'] }, { required: ['kafka'] }] })
  .describe('Where flow records come from: files or kafka.');

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
    ssl: tlsSchema.optional().describe('Certificates, with an https:// address.'),
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
    topic: z
      .string()
      .regex(/^[\w.-]{1,249}$/, { error: 'expected a topic name' })
      .optional()
      .describe('Kafka topic.'),
    file: path('NDJSON file.').optional(),
  })
  .describe(
    'Where remaining quotas go. Default: the topic quota-updates, or quota-updates.ndjson in the store directory.',
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
        everyMs: count(0, 3_600_000)
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
    batch: z
      .strictObject({
        maxRecords: count(1, 1_000_000).default(100_000).describe('Records of one batch.'),
        maxOctets: count(1024, 1024 * MIB)
          .default(64 * MIB)
          .describe('Octets of the records of one batch.'),
        maxTotalBytes: count(MIB, 64 * 1024 * MIB)
          .default(512 * MIB)
          .describe(
            'Memory that the open batches of all partitions may take together: above it they are written before they are full.',
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
        checkEveryMs: count(100, 3_600_000)
          .default(1000)
          .describe("How often the sponsors' balances are held against their credit limits."),
      })
      .prefault({})
      .describe('Suspending sponsors whose credit is used up.'),
    limits: z
      .strictObject({
        maxRecordOctets: count(64, 16 * MIB)
          .default(65_536)
          .describe('A larger record is rejected.'),
        rejectionPayloadOctets: count(0, 16 * MIB)
          .default(4096)
          .describe("Octets kept of a rejected record's payload."),
        maxFutureMs: count(0, 3_652_500 * 86_400)
          .default(86_400_000)
          .describe(
            "How much later than its log's time (Kafka: its timestamp; files: the end of the booking date, UTC) a record's " +
              'times may be before it is rejected as time_out_of_range; 0: any.',
          ),
      })
      .prefault({})
      .describe('Limits on records.'),
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
        lingerMs: count(0, 600_000)
          .default(30_000)
          .describe('How long an engine that had to halt still answers, for whoever scrapes it to see why.'),
      })
      .optional()
      .describe('Liveness, readiness and metrics over HTTP. Absent: none.'),
    sequences: z
      .strictObject({
        lookEveryMs: count(0, 86_400_000)
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

function serverUrl(remedy: string) {
  return (
    z
      .string()
      .refine(isServerUrl, { error: 'expected http://host:port or https://host:port' })
      // The message must not show what the URL holds.
      .refine((text) => !hasCredentials(text), {
        error: `a URL with a user or password in it is refused: ${remedy}`,
      })
  );
}

function isServerUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:\/\//i.test(text);
}

function hasCredentials(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { username, password, searchParams } = new URL(text);
  return username !== '' || password !== '' || searchParams.has('password');
}
