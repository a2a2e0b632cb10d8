import * as z from 'zod';
import { logSchema } from '../../platform/config/config-schema.ts';
import { type KeyRename, renamesUnder } from '../../platform/config/renamed-keys.ts';
import { serverTlsSchema, tlsSchema } from '../../platform/config/tls-schema.ts';
import { HTTP_LIMITS_RENAMES, httpLimitsSchema, requestRateSchema } from '../../platform/http/http-limits-schema.ts';
import { IDENTIFICATIONS } from '../../rating/catalogue.ts';
import { parseCidr } from '../../rating/ip-address.ts';
import { contentTypeSchema } from '../protocol/content-octets.ts';
import { MAX_ID_LENGTH } from './reports/usage-spool.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

const path = (what: string) => z.string().min(1).describe(`${what} Relative to this file.`);
const count = (min: number, max: number) => z.int().min(min).max(max);
/** What IPv4 has room for. */
const MAX_DATAGRAM_OCTETS = 65_507;
const durationMs = (max = 86_400_000) => count(1, max);

const secretPlace = (what: string) => ({
  secretFile: path(`File of ${what}: one line, two while it is rotated.`).optional(),
  secretVariable: z
    .string()
    .regex(/^[A-Za-z_]\w*$/, { error: 'expected the name of an environment variable' })
    .optional()
    .describe('Environment variable of that secret, instead of a file.'),
});

const endpointSchema = (what: string) =>
  z
    .strictObject({
      host: z.string().min(1).default('0.0.0.0').describe('Address to listen on.'),
      port: count(0, 65_535).describe('TCP port; 0 takes a free one.'),
      tls: serverTlsSchema
        .omit({ caFile: true })
        .optional()
        .describe('TLS. Both files are read again when they change (control: at the next start).'),
      publicUrl: z
        .url()
        .optional()
        .describe('How terminals (control: the dispatch server) reach it. Absent: by host and port.'),
    })
    .describe(what);

const hostSchema = z
  .strictObject({
    host: z
      .string()
      .regex(/^(\*\.)?[^\s/*@A-Z]+$/, { error: 'expected a host name in small letters, or *.name, or an address' })
      .describe('A host of the application, or `*.name` for all below a name.'),
    protocol: z
      .enum(['tcp', 'udp'])
      .default('tcp')
      .describe('`tcp`: tunnels (CONNECT, SOCKS5). `udp`: datagrams of calls (SOCKS5 UDP ASSOCIATE).'),
    ports: z.array(count(1, 65_535)).min(1).default([443]).describe('Its ports.'),
    contentType: contentTypeSchema.default('other').describe('What a tunnel or a call to it carries.'),
  })
  .describe('Where tunnels and calls may go, and what they carry.');

const applicationSchema = z
  .strictObject({
    applicationId: z.string().min(1).describe("The application, as in the engine's catalogue."),
    zeroRatingTag: z
      .string()
      .min(1)
      .optional()
      .describe(
        "The preset tag that the gateway puts on the application's traffic. Absent: its addresses are the evidence.",
      ),
    identifiedBy: z
      .array(z.enum(IDENTIFICATIONS))
      .min(1)
      .optional()
      .describe(
        'As in the catalogue. With terminal_tag its terminals may send session tags, and without proxy_mark beside it a connection that has none is not sponsored. Absent: proxy_mark with a zeroRatingTag, else proxy_address.',
      ),
    hosts: z.array(hostSchema).default([]).describe('Where its tunnels may go.'),
    relayUpstream: z
      .url({ protocol: /^wss?$/ })
      .optional()
      .describe("The application's message server, ws:// or wss://. Absent: no relay."),
    allowPrivate: z
      .array(z.string().refine((text) => parseCidr(text) !== null, { error: 'expected a network such as 10.1.0.0/16' }))
      .default([])
      .describe('Private networks that its hosts may be in. All others are refused, whatever a name resolves to.'),
  })
  .describe('An application of a sponsor.');

const udpSchema = z
  .strictObject({
    associations: count(1, 1_000_000).default(2000).describe('Open associations.'),
    associationsPerAddress: count(1, 100_000).default(64).describe('Associations of one terminal address.'),
    associationsPerSession: count(1, 1000).default(4).describe('Associations of one session.'),
    destinations: count(1, 1000).default(16).describe('Hosts and ports that one association sends to.'),
    datagramBytes: count(64, MAX_DATAGRAM_OCTETS)
      .default(4096)
      .describe('A datagram, its SOCKS5 header included. A larger one is dropped.'),
    queuedBytes: count(KIB, MIB)
      .default(64 * KIB)
      .describe('Datagrams of one association and direction that wait for a mark, a name or a full socket.'),
    idleTimeoutMs: durationMs()
      .default(60_000)
      .describe(
        'An association without datagrams is closed, and a host that was sent nothing is not answered any more.',
      ),
  })
  .prefault({})
  .describe('Limits of SOCKS5 UDP ASSOCIATE.');

const buffersSchema = z
  .strictObject({
    perSessionBytes: count(MIB, 2 ** 40)
      .default(64 * MIB)
      .describe('Of one session. At least two messages of messageBytes.'),
    perSubscriberBytes: count(MIB, 2 ** 40)
      .default(128 * MIB)
      .describe('Of one subscriber, over all of its sessions. At least perSessionBytes.'),
    totalBytes: count(MIB, 2 ** 40)
      .default(512 * MIB)
      .describe('Of all connections. At least perSubscriberBytes.'),
  })
  .prefault({})
  .describe(
    'Memory for slow readers and unfinished messages. The connection that holds most of what exceeds a limit is closed (`buffers_full`).',
  );

const limitsSchema = z
  .strictObject({
    capacitySessions: count(1, 1_000_000).default(10_000).describe('Open sessions.'),
    connections: count(1, 1_000_000)
      .default(20_000)
      .describe('Connections of terminals, on all listeners for terminals.'),
    connectionsPerAddress: count(1, 1_000_000)
      .default(1000)
      .describe('Connections of one IPv4 address or IPv6 /64, on all listeners for terminals.'),
    connectionsPerSession: count(1, 10_000).default(32).describe('Connections of one session.'),
    headerBytes: count(KIB, MIB)
      .default(16 * KIB)
      .describe('Headers of a request.'),
    messageBytes: count(KIB, 256 * MIB)
      .default(16 * MIB)
      .describe("A message's payload. A larger one is refused; far larger ones close the connection."),
    handshakeTimeoutMs: durationMs()
      .default(10_000)
      .describe('From accepting a connection to having all of its request.'),
    connectTimeoutMs: durationMs().default(10_000).describe('Connecting to a host.'),
    stallTimeoutMs: durationMs()
      .default(60_000)
      .describe(
        'A connection whose other side takes nothing, or whose message is not continued, for so long is closed.',
      ),
    buffers: buffersSchema,
    udp: udpSchema,
    control: httpLimitsSchema.describe('Limits on connections and requests of the control interface.'),
    controlRequests: z
      .strictObject({
        publicPerAddress: requestRateSchema(600, 'Requests for health, figures and unknown paths from one address.'),
        unauthenticatedPerAddress: requestRateSchema(
          60,
          'Requests of other paths from one address without the secret.',
        ),
        dispatch: requestRateSchema(60_000, 'Requests with the secret.'),
      })
      .prefault({})
      .describe('How many requests of the control interface are answered.'),
  })
  .prefault({})
  .describe('Limits on what terminals can make the proxy hold.');

/** The proxy's configuration file, `proxy.yaml`. It holds no secrets. */
export const proxyConfigSchema = z
  .strictObject({
    proxyId: z.string().min(1).max(MAX_ID_LENGTH).describe('Name of this proxy. Tokens are bound to it.'),
    region: z.string().min(1).max(64).describe('Where it is: terminals may ask for a region.'),
    dataDir: path("Where unconfirmed usage and the dispatch server's keys are kept. One proxy's own."),
    listen: z
      .strictObject({
        connect: endpointSchema('HTTP CONNECT.'),
        socks5: endpointSchema('').omit({ tls: true }).describe('SOCKS5. No client speaks it within TLS.'),
        relay: endpointSchema('The WebSocket message relay.'),
        control: endpointSchema('Where the dispatch server announces sessions; also health.'),
      })
      .describe('Where it listens.'),
    dispatch: z
      .strictObject({
        url: z.url({ protocol: /^https?$/ }).describe('The dispatch server.'),
        jwksUrl: z.url().optional().describe('Its keys. Absent: `/.well-known/jwks.json` of it.'),
        ...secretPlace('the secret of this proxy alone'),
        tls: tlsSchema
          .optional()
          .describe(
            'TLS towards the dispatch server. With certFile and keyFile this proxy authenticates itself by that certificate (mutual TLS) instead of by its secret.',
          ),
        timeoutMs: durationMs().default(10_000).describe('How long an answer is waited for.'),
        maxClockSkewMs: durationMs()
          .default(5000)
          .describe('By so much at most tokens are judged by the dispatch server’s clock instead of this machine’s.'),
      })
      .describe('The dispatch server.'),
    gateway: z
      .strictObject({
        url: z.url({ protocol: /^https?$/ }).describe('Where flow marks are posted to.'),
        ...secretPlace('the secret that the gateway knows this proxy by; absent: as for the dispatch server'),
        timeoutMs: durationMs(10_000).default(500).describe('A tunnel waits so long at most for its mark.'),
      })
      .optional()
      .describe('The gateway that marks flows with the preset tag. Absent: no marks.'),
    applications: z.array(applicationSchema).min(1).describe('The applications that this proxy serves.'),
    statistics: z
      .strictObject({
        intervalMs: durationMs()
          .default(60_000)
          .describe('Usage is reported once in so long, and when a session ends.'),
        syncIntervalMs: durationMs(60_000).default(1000).describe('A power cut costs the usage of so long at most.'),
        retryDelayMs: durationMs()
          .default(1000)
          .describe('First pause after a report that failed; it doubles, up to 64 times as long.'),
      })
      .prefault({})
      .describe('Usage reports.'),
    idle: z
      .strictObject({
        timeoutMs: durationMs()
          .default(300_000)
          .describe('A session without traffic is asked whether it is still there.'),
        promptTimeoutMs: durationMs()
          .default(30_000)
          .describe('It has so long to answer. Tunnels cannot be asked: they close then.'),
      })
      .prefault({})
      .describe('Idle sessions.'),
    limits: limitsSchema,
    log: logSchema,
  })
  .describe('The configuration of a zerorate proxy server.');

export type ProxyDocument = z.output<typeof proxyConfigSchema>;
export type ApplicationDocument = ProxyDocument['applications'][number];
export type BufferLimits = ProxyDocument['limits']['buffers'];
export type UdpLimits = ProxyDocument['limits']['udp'];
export type EndpointDocument = ProxyDocument['listen']['connect'];

/** Keys of `proxy.yaml` that had other names in the version before. */
export const PROXY_RENAMES: readonly KeyRename[] = [
  { from: ['statistics', 'syncMs'], to: ['statistics', 'syncIntervalMs'] },
  { from: ['statistics', 'retryMs'], to: ['statistics', 'retryDelayMs'] },
  { from: ['idle', 'afterMs'], to: ['idle', 'timeoutMs'] },
  { from: ['idle', 'promptMs'], to: ['idle', 'promptTimeoutMs'] },
  { from: ['limits', 'handshakeMs'], to: ['limits', 'handshakeTimeoutMs'] },
  { from: ['limits', 'dialMs'], to: ['limits', 'connectTimeoutMs'] },
  { from: ['limits', 'stalledMs'], to: ['limits', 'stallTimeoutMs'] },
  ...['publicPerAddress', 'unauthenticatedPerAddress', 'dispatch'].map((rate) => ({
    from: ['limits', 'controlRequests', rate, 'perMs'],
    to: ['limits', 'controlRequests', rate, 'intervalMs'],
  })),
  { from: ['limits', 'headerOctets'], to: ['limits', 'headerBytes'] },
  { from: ['limits', 'messageOctets'], to: ['limits', 'messageBytes'] },
  { from: ['limits', 'udp', 'datagramOctets'], to: ['limits', 'udp', 'datagramBytes'] },
  { from: ['limits', 'udp', 'queuedOctets'], to: ['limits', 'udp', 'queuedBytes'] },
  ...renamesUnder(['limits', 'control'], HTTP_LIMITS_RENAMES),
  ...renamesUnder(
    ['dispatch'],
    [
      { from: ['clientCertificate', 'certFile'], to: ['tls', 'certFile'] },
      { from: ['clientCertificate', 'keyFile'], to: ['tls', 'keyFile'] },
      { from: ['caFile'], to: ['tls', 'caFile'] },
    ],
  ),
];
