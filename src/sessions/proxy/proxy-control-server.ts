import swagger from '@fastify/swagger';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { jsonSchemaTransform, serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Registry } from 'prom-client';
import * as z from 'zod';
import { documentedRefusals, refusalBodySchema, textAnswer } from '../../platform/http/documented-refusals.ts';
import type { Health } from '../../platform/http/health.ts';
import { createGuardedServer } from '../../platform/http/http-guard.ts';
import { exportConnections } from '../../platform/http/http-metrics.ts';
import type { PeerSecret } from '../../platform/http/peer-secret.ts';
import type { ConnectionLimits } from '../../platform/network/connection-limits.ts';
import { ListenError } from '../../platform/network/listen-error.ts';
import { readTlsFiles } from '../../platform/network/tls-files.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { type Announcement, announcementSchema } from '../protocol/dispatch-messages.ts';
import type { EndpointDocument, ProxyDocument } from './proxy-config-schema.ts';
import { exportProxy, type ProxyFigures, proxyFiguresSchema } from './proxy-metrics.ts';
import type { SessionRegistry } from './session-registry.ts';

const ANNOUNCEMENT_OCTETS = 64 * 1024;

/** Why an announcement is refused. */
const REFUSALS = {
  unauthorized: [401, 'the secret is not this proxy’s'],
  invalid_announcement: [400, 'the announcement is of another session than the path'],
  session_over: [409, 'the session has ended here'],
  unknown_application: [422, 'this proxy does not serve the application'],
  full: [503, 'the proxy has as many sessions as it has room for'],
} as const;
type ControlRefusal = keyof typeof REFUSALS;

const refusalSchema = refusalBodySchema(Object.keys(REFUSALS) as ControlRefusal[]);
const refusalsOf = (...reasons: ControlRefusal[]) =>
  documentedRefusals(
    refusalSchema,
    reasons.map((reason) => [reason, ...REFUSALS[reason]] as const),
  );
const readinessSchema = z.strictObject({ ready: z.boolean(), problems: z.record(z.string(), z.string()) });

export interface ProxyControlOptions {
  endpoint: EndpointDocument;
  limits: Pick<ProxyDocument['limits'], 'control' | 'controlRequests'>;
  /** Two are accepted while it is rotated. */
  secret: PeerSecret;
  registry: Pick<SessionRegistry, 'announce'>;
  applicationIds: readonly string[];
  health: Health;
  logger: Logger;
  figures(): ProxyFigures;
  /** Of terminals, for the metrics. */
  terminals: ConnectionLimits;
  /** Is given the registry of the metrics. */
  onMetrics?: ((registry: Registry) => void) | undefined;
}

/** The proxy's control interface, which listens from `start` to `stop`. */
export class ControlServer {
  readonly #options: ProxyControlOptions;
  #server: FastifyInstance | null = null;

  constructor(options: ProxyControlOptions) {
    this.#options = options;
  }

  get port(): number {
    const address = this.#server?.server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Rejects with a ConfigError when the port is taken. */
  async start(): Promise<void> {
    const { host, port } = this.#options.endpoint;
    const server = await createProxyControl(this.#options);
    try {
      await server.listen({ host, port });
    } catch (cause) {
      throw new ListenError('listen.control', { host, port }, cause);
    }
    this.#server = server;
  }

  async stop(): Promise<void> {
    await this.#server?.close();
  }
}

/**
 * Returns the server of `PUT /v1/sessions/:sessionId` for the dispatch server, `GET /health/live`, `/health/ready` and
 * `/v1/figures` for monitoring, and `/metrics` for Prometheus, with the proxy's secret. Refusals are `{ reason, message }`.
 */
export async function createProxyControl(options: ProxyControlOptions): Promise<FastifyInstance> {
  const { tls } = options.endpoint;
  const { publicPerAddress, unauthenticatedPerAddress, dispatch } = options.limits.controlRequests;
  const { server, connections } = await createGuardedServer({
    name: 'proxy control',
    logger: options.logger,
    limits: options.limits.control,
    limitsField: 'limits.control',
    rates: {
      byAddress: { public: publicPerAddress, secret: unauthenticatedPerAddress },
      byIdentity: { dispatch },
    },
    identify: ({ headers }) =>
      options.secret.matches(/^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1])
        ? { kind: 'dispatch', key: '' }
        : null,
    unauthorized: () => bodyOf('unauthorized'),
    tls: tls && readTlsFiles(tls, 'listen.control.tls'),
  });
  server.setSerializerCompiler(serializerCompiler);
  await server.register(swagger, { openapi: OPENAPI, transform: jsonSchemaTransform });
  monitoringRoutes(server, options, connections);
  announcementRoute(server, options);
  return server;
}

function monitoringRoutes(instance: FastifyInstance, options: ProxyControlOptions, connections: ConnectionLimits) {
  const server = instance.withTypeProvider<ZodTypeProvider>();
  const { health, figures, terminals } = options;
  server.get('/health/live', {
    config: { access: 'public' },
    schema: {
      summary: 'Whether the process runs',
      response: { 200: z.strictObject({ live: z.boolean() }), ...refusalsOf() },
    },
    handler: async () => ({ live: true }),
  });
  server.get('/health/ready', {
    config: { access: 'public' },
    schema: {
      summary: 'Whether it does its work, and what prevents it',
      response: { 200: readinessSchema, 503: readinessSchema, ...refusalsOf() },
    },
    handler: async (_, reply) =>
      reply.code(health.isReady ? 200 : 503).send({ ready: health.isReady, problems: { ...health.problems } }),
  });
  server.get('/v1/figures', {
    config: { access: 'public' },
    schema: { summary: 'What the proxy does now', response: { 200: proxyFiguresSchema, ...refusalsOf() } },
    handler: async () => figures(),
  });
  const metrics = exportProxy(figures, health);
  exportConnections(metrics, { control: connections, terminals });
  options.onMetrics?.(metrics);
  server.get('/metrics', {
    config: { access: 'dispatch' },
    schema: {
      summary: 'Metrics for Prometheus',
      security: [{ proxySecret: [] }],
      response: { 200: textAnswer('text/plain', 'Prometheus’ text format.'), ...refusalsOf('unauthorized') },
    },
    handler: async (_, reply) => reply.type(metrics.contentType).send(await metrics.metrics()),
  });
}

function announcementRoute(instance: FastifyInstance, options: ProxyControlOptions): void {
  instance.withTypeProvider<ZodTypeProvider>().put('/v1/sessions/:sessionId', {
    config: { access: 'dispatch' },
    bodyLimit: ANNOUNCEMENT_OCTETS,
    schema: {
      summary: 'Announce a session, or its new terms; the later revision wins',
      security: [{ proxySecret: [] }],
      params: z.strictObject({ sessionId: z.string().min(1).max(64) }),
      body: announcementSchema,
      response: {
        204: z.null(),
        ...refusalsOf('unauthorized', 'invalid_announcement', 'unknown_application', 'session_over', 'full'),
      },
    },
    handler: async ({ params: { sessionId }, body }, reply) => {
      const refusal = announce(options, sessionId, body);
      return refusal === null ? reply.code(204).send(null) : refuse(reply, refusal);
    },
  });
}

/** Null when the terms are taken, or are older than those that are known. */
function announce(
  { registry, applicationIds }: ProxyControlOptions,
  sessionId: string,
  terms: Announcement,
): ControlRefusal | null {
  if (terms.sessionId !== sessionId) return 'invalid_announcement';
  if (!applicationIds.includes(terms.applicationId)) return 'unknown_application';
  const outcome = registry.announce(terms);
  return outcome === 'taken' || outcome === 'outdated' ? null : outcome;
}

function bodyOf(reason: ControlRefusal) {
  return { reason, message: REFUSALS[reason][1] };
}

function refuse(reply: FastifyReply, reason: ControlRefusal): FastifyReply {
  return reply.code(REFUSALS[reason][0]).type('application/json').send(bodyOf(reason));
}

const OPENAPI = {
  openapi: '3.1.0',
  info: {
    title: 'zerorate proxy server, control interface',
    description: 'Where the dispatch server announces sessions, and monitoring reads health and metrics.',
    version: '1',
  },
  components: {
    securitySchemes: {
      proxySecret: { type: 'http', scheme: 'bearer', description: 'The secret of the proxy.' },
    },
  },
} as const;
