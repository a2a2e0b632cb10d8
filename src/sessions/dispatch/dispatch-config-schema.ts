import * as z from 'zod';
import { kafkaBrokers, topicName } from '../../platform/config/config-fields.ts';
import { logSchema } from '../../platform/config/config-schema.ts';
import { passwordSaslSchema } from '../../platform/config/config-source-schema.ts';
import { type KeyRename, renamesUnder } from '../../platform/config/renamed-keys.ts';
import {
  OWN_CERTIFICATE_RENAMES,
  serverTlsSchema,
  TLS_RENAMES,
  tlsSchema,
  tlsSwitchSchema,
} from '../../platform/config/tls-schema.ts';
import { HTTP_LIMITS_RENAMES, httpLimitsSchema, requestRateSchema } from '../../platform/http/http-limits-schema.ts';
import { proxyEndpointsSchema } from '../protocol/dispatch-messages.ts';
import { accountSchema } from './accounts/account-config-schema.ts';

const DAY_MS = 86_400_000;

const path = (what: string) => z.string().min(1).describe(`${what} Relative to this file.`);
const ms = (min: number, max: number) => z.int().min(min).max(max);
/** A duration that is written into tokens, which count seconds. */
const wholeSeconds = (min: number, max: number) =>
  ms(min, max).multipleOf(1000, { error: 'expected whole seconds: a multiple of 1000' });
const grantOctets = z
  .int()
  .min(1)
  .max(2 ** 50);
const atCap = z.enum(['stop', 'subscriber_pays']);
const proxyId = z.string().regex(/^[\w.-]{1,64}$/, { error: 'expected 1 to 64 letters, digits, . _ -' });

const httpSchema = z
  .strictObject({
    host: z.string().min(1).default('127.0.0.1').describe('Address to listen on.'),
    port: z.int().min(0).max(65_535).default(8090).describe('TCP port; 0 takes a free one.'),
    trustedProxies: z
      .array(z.string().min(1))
      .default([])
      .describe(
        'Addresses or networks of reverse proxies whose x-forwarded-for is trusted. A terminal is known by its address.',
      ),
    tls: serverTlsSchema
      .optional()
      .describe('TLS; absent: plain HTTP. caFile: own authority of the proxies’ client certificates.'),
    limits: httpLimitsSchema,
  })
  .prefault({})
  .describe('Where terminals, proxies and operators reach the dispatch server.');

const kafkaSchema = z
  .strictObject({
    brokers: kafkaBrokers,
    quotaUpdatesTopic: topicName().default('quota-updates').describe('Topic of the engine’s quota updates.'),
    clientId: z
      .string()
      .min(1)
      .default('zerorate-dispatch')
      .describe('Name of this client in the logs of the brokers.'),
    schemaId: z
      .int()
      .min(0)
      .max(2 ** 32 - 1)
      .optional()
      .describe('Schema id of the Confluent header before each update; absent: there is none.'),
    tls: tlsSwitchSchema,
    sasl: passwordSaslSchema.optional(),
  })
  .describe('Where the engine announces remaining quotas.');

const storeSchema = z
  .strictObject({
    url: z.url({ protocol: /^https?$/ }).describe('HTTP address of the engine’s ClickHouse, or of `zerorate serve`.'),
    database: z
      .string()
      .regex(/^[A-Za-z_]\w{0,63}$/, { error: 'expected a database name' })
      .default('zerorate')
      .describe('Database on the server.'),
    username: z
      .string()
      .min(1)
      .default('default')
      .describe(
        'User on the server, with the role zerorate_dispatch: it reads who is suspended, and which pseudonym key is booked.',
      ),
    passwordFile: path('File that holds the password; or set ZERORATE_STORE_PASSWORD.').optional(),
    checkIntervalMs: ms(100, 3_600_000).default(5000).describe('How often it is asked who is suspended.'),
  })
  .describe('The engine’s store, which says which sponsors are suspended.');

const operatorSchema = z
  .strictObject({
    issuer: z.string().min(1).describe('The operator’s name: `iss` of its assertions.'),
    jwksFile: path('Its public keys, a JSON Web Key Set.').optional(),
    jwksUrl: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe('Where its public keys are, a JSON Web Key Set.'),
  })
  .meta({ oneOf: [{ required: ['jwksFile'] }, { required: ['jwksUrl'] }] });

const sessionsSchema = z
  .strictObject({
    grantOctets: grantOctets.default(10 * 2 ** 20).describe('Sponsored octets of one grant; a renewal gives another.'),
    atCap: atCap
      .default('stop')
      .describe(
        'At the cap the session ends (stop), or continues untagged at the subscriber’s cost (subscriber_pays).',
      ),
    tokenLifetimeMs: wholeSeconds(10_000, DAY_MS).default(300_000).describe('How long a token opens connections.'),
    idleTimeoutMs: ms(1000, 7 * DAY_MS)
      .default(900_000)
      .describe('A session whose token has expired is over when nothing was reported for so long.'),
    releaseDelayMs: ms(0, 31 * DAY_MS)
      .default(3_600_000)
      .describe(
        'When reports are missing: so long after its proxy has acknowledged the end, what a session had reserved is free again. ' +
          'Longer than a flow record takes to be booked.',
      ),
    maxPerSubscriber: z
      .int()
      .min(1)
      .max(10_000)
      .default(32)
      .describe('Sessions of a subscriber that are open or not settled; one more is refused (too_many_sessions).'),
    overshootOctets: z
      .int()
      .min(0)
      .max(2 ** 40)
      .default(2 ** 26)
      .describe(
        'Reports may say that a session has used so much more than it was granted: what passes while its connections close.',
      ),
  })
  .prefault({})
  .describe('How sessions are given.');

/** One proxy: what it proves itself with, and all that it may be registered with. */
const proxySchema = z
  .strictObject({
    secretFile: path('File of the secret that this proxy alone has: one line, two while it is rotated.').optional(),
    secretVariable: z
      .string()
      .regex(/^[A-Za-z_]\w*$/, { error: 'expected the name of an environment variable' })
      .optional()
      .describe('Environment variable of that secret, instead of a file.'),
    clientCertificate: z
      .strictObject({
        fingerprint256: z
          .string()
          .regex(/^([\da-f]{2}:?){31}[\da-f]{2}$/i, { error: 'expected SHA-256 in hex' })
          .optional()
          .describe('SHA-256 fingerprint of the certificate.'),
        subject: z.string().min(3).optional().describe('Its distinguished name, such as CN=proxy-1,O=carrier.'),
      })
      .optional()
      .describe(
        'The proxy proves itself by this certificate (mutual TLS; http.tls.caFile) instead of by its secret, which then only the ' +
          'dispatch server sends.',
      ),
    controlUrl: z
      .url({ protocol: /^https?$/ })
      .describe('Its control interface: the one address at which the dispatch server calls it.'),
    tls: tlsSchema.optional().describe('TLS towards the control interface, where controlUrl is https.'),
    endpoints: proxyEndpointsSchema.describe('The addresses that it may advertise to terminals.'),
    applications: z.array(z.string().min(1)).min(1).describe('The applications that it may serve, by their ids.'),
  })
  .meta({ oneOf: [{ required: ['secretFile'] }, { required: ['secretVariable'] }] });

/** The configuration file of a dispatch server, `dispatch.yaml`. It holds no secrets. */
export const dispatchConfigSchema = z
  .strictObject({
    catalogue: path('The engine’s catalogue.'),
    dataDir: path('Directory of what must not be forgotten: quotas, sessions, reports, signing keys. Of one process.'),
    http: httpSchema,
    kafka: kafkaSchema,
    store: storeSchema,
    pseudonymKey: z
      .strictObject({ file: path('File of at least 64 hex digits; or set ZERORATE_PSEUDONYM_KEY.') })
      .optional()
      .describe('The engine’s key of the subscribers’ pseudonyms.'),
    operators: z.array(operatorSchema).min(1).describe('Operators whose identity assertions are accepted.'),
    operatorSecretFile: path('File of the operator’s secret; or set ZERORATE_OPERATOR_SECRET.').optional(),
    proxies: z
      .record(proxyId, proxySchema)
      .describe(
        'The proxies, by their ids; a proxy is not registered with anything else than this says. One that is taken out is gone for good: its sessions are over.',
      ),
    heartbeats: z
      .strictObject({
        intervalMs: ms(100, 600_000).default(2000).describe('How often a proxy sends a heartbeat.'),
        staleTimeoutMs: ms(100, 600_000).default(6000).describe('One that was silent for longer is given no sessions.'),
        lostTimeoutMs: ms(1000, DAY_MS)
          .default(60_000)
          .describe('The sessions of one that was silent for longer are over.'),
        warnClockSkewMs: ms(1, DAY_MS).default(1000).describe('A proxy’s clock is warned of when it is off by more.'),
        maxClockSkewMs: ms(1, DAY_MS)
          .default(5000)
          .describe('One whose clock is off by more is given no sessions; times in its reports may be off by so much.'),
        announceTimeoutMs: ms(50, 60_000).default(2000).describe('How long a proxy may take to answer.'),
      })
      .prefault({})
      .describe('Heartbeats of the proxies.'),
    sessions: sessionsSchema,
    applications: z
      .record(
        z.string(),
        z.strictObject({
          grantOctets: grantOctets.optional().describe('As sessions.grantOctets.'),
          atCap: atCap.optional().describe('As sessions.atCap.'),
          account: accountSchema.optional(),
        }),
      )
      .default({})
      .describe('What is otherwise for an application, by its id.'),
    keys: z
      .strictObject({
        rotationIntervalMs: wholeSeconds(60_000, 365 * DAY_MS)
          .default(DAY_MS)
          .describe('How long a key signs tokens.'),
      })
      .prefault({})
      .describe('Signing keys; they are made, kept and rotated in dataDir.'),
    rateLimits: z
      .strictObject({
        perSubscriber: requestRateSchema(30, 'Sessions that a subscriber asks for.'),
        perAddress: requestRateSchema(120, 'Requests of terminals from one address; of IPv6 from one /64.'),
        publicPerAddress: requestRateSchema(
          600,
          'Requests for health, keys, documentation and unknown paths from one address, without a secret.',
        ),
        unauthenticatedPerAddress: requestRateSchema(
          60,
          'Requests of operator and proxy paths from one address without a secret that is known.',
        ),
        perProxy: requestRateSchema(6000, 'Requests with the secret of a proxy.'),
        perOperator: requestRateSchema(600, 'Requests with the secret of the operator.'),
      })
      .prefault({})
      .describe('How many requests are answered. A request with a secret counts for its proxy or the operator only.'),
    reportLifetimeMs: ms(DAY_MS, 3660 * DAY_MS)
      .default(62 * DAY_MS)
      .describe('How long reports are kept.'),
    log: logSchema,
  })
  .describe('The configuration of a zerorate dispatch server.');

export type DispatchDocument = z.output<typeof dispatchConfigSchema>;

const RATES = [
  'perSubscriber',
  'perAddress',
  'publicPerAddress',
  'unauthenticatedPerAddress',
  'perProxy',
  'perOperator',
];

/** Keys of `dispatch.yaml` that had other names in the version before. */
export const DISPATCH_RENAMES: readonly KeyRename[] = [
  { from: ['store', 'checkEveryMs'], to: ['store', 'checkIntervalMs'] },
  { from: ['sessions', 'tokenSeconds'], to: ['sessions', 'tokenLifetimeMs'], factor: 1000 },
  { from: ['sessions', 'idleAfterMs'], to: ['sessions', 'idleTimeoutMs'] },
  { from: ['sessions', 'settleAfterMs'], to: ['sessions', 'releaseDelayMs'] },
  { from: ['heartbeats', 'everyMs'], to: ['heartbeats', 'intervalMs'] },
  { from: ['heartbeats', 'freshForMs'], to: ['heartbeats', 'staleTimeoutMs'] },
  { from: ['heartbeats', 'silentAfterMs'], to: ['heartbeats', 'lostTimeoutMs'] },
  { from: ['keys', 'rotateEverySeconds'], to: ['keys', 'rotationIntervalMs'], factor: 1000 },
  { from: ['retainDays'], to: ['reportLifetimeMs'], factor: DAY_MS },
  ...RATES.map((rate) => ({ from: ['rateLimits', rate, 'perMs'], to: ['rateLimits', rate, 'intervalMs'] })),
  ...renamesUnder(['http', 'limits'], HTTP_LIMITS_RENAMES),
  ...renamesUnder(['kafka'], TLS_RENAMES),
  ...renamesUnder(['http'], [{ from: ['tls', 'clientCaFile'], to: ['tls', 'caFile'] }, ...OWN_CERTIFICATE_RENAMES]),
  { from: ['proxies', '*', 'controlCaFile'], to: ['proxies', '*', 'tls', 'caFile'] },
  {
    from: ['applications', '*', 'account', 'callback', 'caFile'],
    to: ['applications', '*', 'account', 'callback', 'tls', 'caFile'],
  },
];
