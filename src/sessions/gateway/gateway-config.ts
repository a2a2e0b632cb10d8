import * as z from 'zod';
import { kafkaBrokers, topicName } from '../../platform/config/config-fields.ts';
import { logSchema } from '../../platform/config/config-schema.ts';
import { type KeyRename, renamesUnder } from '../../platform/config/renamed-keys.ts';
import { HTTP_LIMITS_RENAMES, httpLimitsSchema, requestRateSchema } from '../../platform/http/http-limits-schema.ts';
import type { PeerSecret } from '../../platform/http/peer-secret.ts';

const path = (what: string) => z.string().min(1).describe(`${what} Relative to this file.`);
const port = (what: string) => z.int().min(0).max(65_535).describe(`${what} 0: a free one.`);
const address = (what: string) => z.string().min(1).describe(what);

/** `gateway.yaml`. It holds no secrets: those are in files of their own. */
export const gatewaySchema = z
  .strictObject({
    nodeId: z.string().min(1).max(255).describe('Name of this gateway in its flow records.'),
    userPlane: z
      .strictObject({
        host: address('Address to listen on.').default('127.0.0.1'),
        port: port('TCP port of SOCKS5, through which terminals reach everything.'),
        publicUrl: z
          .url({ protocol: /^socks5$/ })
          .optional()
          .describe('How terminals reach it, socks5://host:port. Absent: by host and port.'),
      })
      .describe('Where terminals connect.'),
    control: z
      .strictObject({
        host: address('Address to listen on.').default('127.0.0.1'),
        port: port('TCP port of HTTP: bearers, flow marks, health.'),
        limits: httpLimitsSchema,
        rateLimits: z
          .strictObject({
            publicPerAddress: requestRateSchema(600, 'Requests for health and unknown paths from one address.'),
            unauthenticatedPerAddress: requestRateSchema(
              60,
              'Requests of other paths from one address without a secret that is known.',
            ),
            perProxy: requestRateSchema(60_000, 'Requests with the secret of a proxy.'),
            perOperator: requestRateSchema(60_000, 'Requests with the secret of the operator.'),
          })
          .prefault({})
          .describe('How many requests are answered.'),
      })
      .describe('Where operator and proxies connect.'),
    operatorSecretFile: path('File of the secret that bearers are made with.'),
    terminalAddresses: z
      .string()
      .regex(/^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/, { error: 'expected an IPv4 prefix, such as 127.64.0.0/16' })
      .default('127.64.0.0/16')
      .describe(
        'Each bearer gets an address of this prefix; destinations see it. Of the loopback network unless routed here.',
      ),
    proxies: z
      .array(
        z.strictObject({
          proxyId: z.string().min(1).describe('Name of the proxy.'),
          secretFile: path('File of the secret of this proxy alone: one line, two while it is rotated.').optional(),
          secretVariable: z
            .string()
            .regex(/^[A-Za-z_]\w*$/, { error: 'expected the name of an environment variable' })
            .optional()
            .describe('Environment variable of that secret, instead of a file.'),
          addresses: z.array(z.ipv4().or(z.ipv6())).min(1).describe('Its addresses: it marks flows to these alone.'),
        }),
      )
      .default([])
      .describe('Proxies that may mark flows.'),
    identity: z
      .strictObject({
        issuer: z.string().min(1).describe('The operator, as dispatch servers know it.'),
        keyId: z.string().min(1).describe("The key's id in the operator's JWKS."),
        privateKeyFile: path('Ed25519 key, PKCS #8 PEM.'),
        lifetimeMs: z
          .int()
          .min(1000)
          .max(3_600_000)
          .multipleOf(1000, { error: 'expected whole seconds: a multiple of 1000' })
          .default(3_600_000)
          .describe('How long an identity assertion is good; the dispatch server takes an hour at most.'),
      })
      .describe('Who signs identity assertions.'),
    terminalTags: z
      .strictObject({
        jwksUrl: z
          .url({ protocol: /^https?$/ })
          .describe("The dispatch server's key set, `/.well-known/jwks.json`: it verifies the tags."),
        applications: z
          .array(
            z.strictObject({
              applicationId: z.string().min(1).describe('The application, as in the catalogue.'),
              zeroRatingTag: z.string().min(1).describe('Tag of its flow records, one of the catalogue.'),
            }),
          )
          .min(1)
          .refine((all) => new Set(all.map(({ applicationId }) => applicationId)).size === all.length, {
            error: 'lists an application twice',
          })
          .describe('Applications that the catalogue identifies by terminal_tag.'),
        requestBytes: z
          .int()
          .min(1024)
          .max(2 ** 20)
          .default(16_384)
          .describe("Most bytes of a terminal's request to a proxy that are read for its tag."),
        requestTimeoutMs: z
          .int()
          .min(1)
          .max(600_000)
          .default(10_000)
          .describe('A request that takes longer is read no further.'),
      })
      .optional()
      .describe('Session tags that terminals send to the proxies. Absent: none is read, and proxies mark flows.'),
    kafka: z
      .strictObject({
        brokers: kafkaBrokers,
        topic: topicName().describe('Topic of the flow records.'),
      })
      .describe('Where flow records go.'),
    spool: path('Directory of records that Kafka has not taken yet, and of the last sequence number.'),
    partialRecords: z
      .strictObject({
        intervalMs: z.int().min(10).max(3_600_000).default(5000).describe('A record is cut when it is so old.'),
        afterOctets: z
          .int()
          .min(1)
          .max(2 ** 40)
          .default(2 ** 20)
          .describe('A record is cut when it holds so much.'),
      })
      .prefault({})
      .describe('When a connection gives a further record.'),
    log: logSchema,
  })
  .describe('The gateway simulator.');

/** Keys of `gateway.yaml` that had other names in the version before. */
export const GATEWAY_RENAMES: readonly KeyRename[] = [
  { from: ['identity', 'lifetimeSeconds'], to: ['identity', 'lifetimeMs'], factor: 1000 },
  { from: ['terminalTags', 'requestOctets'], to: ['terminalTags', 'requestBytes'] },
  ...renamesUnder(['control', 'limits'], HTTP_LIMITS_RENAMES),
  { from: ['partialRecords', 'afterMs'], to: ['partialRecords', 'intervalMs'] },
  ...['publicPerAddress', 'unauthenticatedPerAddress', 'perProxy', 'perOperator'].map((rate) => ({
    from: ['control', 'rateLimits', rate, 'perMs'],
    to: ['control', 'rateLimits', rate, 'intervalMs'],
  })),
];

export type GatewayDocument = z.output<typeof gatewaySchema>;

/** What a gateway runs with. */
export interface GatewayConfig extends Omit<GatewayDocument, 'operatorSecretFile' | 'proxies' | 'identity'> {
  operatorSecret: string;
  proxies: readonly RegisteredProxy[];
  identity: Omit<GatewayDocument['identity'], 'privateKeyFile'> & { privateKeyPem: string };
}

export interface RegisteredProxy {
  proxyId: string;
  secret: PeerSecret;
  addresses: readonly string[];
}
