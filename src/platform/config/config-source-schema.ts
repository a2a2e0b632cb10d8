import * as z from 'zod';
import { count, hasCredentials, kafkaBrokers, MIB, path, serverUrl, topicName } from './config-fields.ts';
import { tlsSchema, tlsSwitchSchema } from './tls-schema.ts';

const registrySchema = z
  .strictObject({
    url: serverUrl('use username, and ZERORATE_REGISTRY_PASSWORD or passwordFile').describe(
      'Where /schemas/ids/ID is found, as with Confluent: https://host:8081; Apicurio: https://host:8080/apis/ccompat/v7.',
    ),
    username: z.string().min(1).optional().describe('User; absent: no login.'),
    passwordFile: path('File that holds the password; or set ZERORATE_REGISTRY_PASSWORD.').optional(),
    tls: tlsSchema.optional().describe('Certificates, with an https:// address.'),
  })
  .describe('Schema registry that has the schemas of ids which `schemas` does not name.');

const avroSchema = z
  .strictObject({
    header: z
      .enum(['auto', 'confluent', 'single-object', 'bare'])
      .default('auto')
      .describe(
        'Header before each datum: of a schema registry (confluent), of single-object encoding (single-object), none (bare), or by its first bytes (auto).',
      ),
    idBytes: z
      .union([z.literal(4), z.literal(8)])
      .default(4)
      .describe(
        'Bytes of a schema id in the header of a registry: 4 as Confluent has it, 8 as Apicurio does by default.',
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
    tls: tlsSchema.optional().describe("oauthbearer: certificates for tokenUrl's host."),
  })
  .describe('SASL authentication.');

const startFromSchema = z
  .union([
    z.enum(['earliest', 'latest']),
    z.iso.datetime({ offset: true, error: 'expected earliest, latest or a time like 2026-10-01T00:00:00Z' }),
  ])
  .default('earliest')
  .describe(
    'Where the first start begins, while the journal knows nothing of the topic: with the oldest record, with those that ' +
      'come from now on, or with the first one of this time or later. The journal keeps it: it has no effect afterwards, ' +
      'and partitions that are added later are read from their beginning.',
  );

const kafkaSchema = z
  .strictObject({
    brokers: kafkaBrokers,
    topic: topicName().describe('Topic of the flow records.'),
    groupId: z.string().min(1).default('zerorate').describe('Consumer group.'),
    clientId: z.string().min(1).default('zerorate').describe('Name of this client in the logs of the brokers.'),
    startFrom: startFromSchema,
    valueFormat: z.enum(['avro', 'json']).default('avro').describe('How a record is encoded.'),
    avro: avroSchema,
    tls: tlsSwitchSchema,
    sasl: saslSchema.optional(),
    sessionTimeoutMs: count(1000, 1_800_000)
      .default(30_000)
      .describe('The group takes an engine for dead that was silent for so long.'),
    heartbeatIntervalMs: count(100, 600_000).default(3000).describe('At most a third of sessionTimeoutMs.'),
    rebalanceTimeoutMs: count(1000, 1_800_000)
      .default(60_000)
      .describe('How long a rebalance waits for an engine to book what it holds.'),
    fetchWaitTimeoutMs: count(1, 60_000).default(500).describe('How long a broker may wait for more records.'),
    maxBytesPerPartition: count(1024, 1024 * MIB)
      .default(4 * MIB)
      .describe('Most bytes of one fetch from one partition.'),
    maxBatchBytes: count(1024, 2048 * MIB - 1)
      .default(128 * MIB)
      .describe('Most bytes of one record batch once it is decompressed; a larger one halts the engine.'),
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
    msisdnFormat: z
      .enum(['address-string', 'tbcd'])
      .default('address-string')
      .describe(
        'How servedMSISDN is written: with nature of address and numbering plan before the digits, or digits alone.',
      ),
    countryCode: z
      .string()
      .regex(/^[1-9]\d{0,2}$/, { error: 'expected 1 to 3 digits in quotes, as "49"' })
      .optional()
      .describe('Country code of national numbers; absent: they are rejected.'),
    network: z
      .boolean()
      .optional()
      .describe(
        'Records keep where the terminal was: servingPlmn, ratType and trackingArea, for conditions of plans. Their content is another ' +
          'one than without, so a CDR that was booked before is a conflict when it comes again.',
      ),
    subscribers: path('MSISDNs of CDRs that have an IMSI only: CSV of imsi,from,to,msisdn.').optional(),
  })
  .describe('How files of CDRs are mapped to flow records.');

export const goflow2Schema = z
  .strictObject({
    terminals: path(
      'Whose an address was, and when: CSV of prefix,from,to,msisdn, or with blocks of ports of shared addresses prefix,ports,from,to,msisdn.',
    ),
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

export const sourceSchema = z
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
