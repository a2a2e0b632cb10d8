import swagger from '@fastify/swagger';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { jsonSchemaTransform, serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Registry } from 'prom-client';
import * as z from 'zod';
import { documentedRefusals, refusalBodySchema, textAnswer } from '../../platform/http/documented-refusals.ts';
import { createGuardedServer, type HttpIdentity } from '../../platform/http/http-guard.ts';
import { exportConnections } from '../../platform/http/http-metrics.ts';
import { isSecret } from '../../platform/http/secret-comparison.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { E164 } from '../../rating/record/msisdn.ts';
import { type FlowMark, flowMarksAnswerSchema, flowMarksSchema } from '../protocol/flow-mark.ts';
import type { Bearers } from './bearers.ts';
import type { FlowTable, MarkedAs } from './flow-table.ts';
import type { GatewayDocument, RegisteredProxy } from './gateway-config.ts';
import { exportGateway, type GatewayStatus } from './gateway-metrics.ts';
import type { IdentityIssuer } from './identity-issuer.ts';
import type { StoredBearer } from './record-spool.ts';
import { TAG_OUTCOMES, type TagOutcome } from './terminal-tags.ts';

const BEARER_OCTETS = 4 * 1024;
/** A thousand marks of at most 500 bytes. */
const FLOW_MARKS_OCTETS = 512 * 1024;
const BODY_CHARACTERS = 8192;

/** Why the gateway refuses a request. */
const REFUSALS = {
  secret_invalid: [401, 'the secret is not the operator’s, or not one of a proxy'],
  other_proxy: [403, 'an address is not one of the proxy whose secret this is'],
  bearer_unknown: [404, 'no bearer of this id'],
  no_address_left: [503, 'every address of terminalAddresses is taken'],
} as const;
type ControlRefusal = keyof typeof REFUSALS;

const refusalSchema = refusalBodySchema(Object.keys(REFUSALS) as ControlRefusal[]);
const refusalsOf = (...reasons: ControlRefusal[]) =>
  documentedRefusals(
    refusalSchema,
    reasons.map((reason) => [reason, ...REFUSALS[reason]] as const),
  );

const bearerRequestSchema = z.strictObject({
  msisdn: z.string().regex(E164),
  imsi: z
    .string()
    .regex(/^\d{6,15}$/)
    .optional(),
});

const bearerAnswerSchema = z.strictObject({
  bearerId: z.string().max(64),
  terminalIp: z.string().max(45),
  chargingId: z.int().min(0),
  identityAssertion: z.string().max(BODY_CHARACTERS),
  socksUrl: z.string().max(2048).describe('The user plane: SOCKS5 with the bearer’s id as the user.'),
});
/** 201 of `POST /v1/bearers`. */
export type BearerAnswer = z.output<typeof bearerAnswerSchema>;

const statusSchema = z.strictObject({
  ready: z.boolean(),
  openFlows: z.int().min(0),
  spooledRecords: z.int().min(0).describe('Records that Kafka has not acknowledged.'),
  kafkaProblem: z.string().nullable().describe('Why Kafka does not take records; null while it does.'),
  unknownFlowMarks: z.int().min(0).describe('Marks of connections that were not open.'),
  terminalTags: z
    .record(z.enum(Object.keys(TAG_OUTCOMES) as [TagOutcome, ...TagOutcome[]]), z.int().min(0))
    .nullable()
    .describe('Session tags of terminals by what became of them; null where none are read.'),
  tagKeysReachable: z
    .boolean()
    .nullable()
    .describe("Whether the dispatch server's keys could be fetched last; null where none are needed."),
});

export interface GatewayControlOptions {
  control: Pick<GatewayDocument['control'], 'limits' | 'rateLimits'>;
  logger: Logger;
  operatorSecret: string;
  proxies: readonly RegisteredProxy[];
  bearers: Pick<Bearers, 'create' | 'get' | 'remove'>;
  flows: Pick<FlowTable, 'mark'>;
  identity: Pick<IdentityIssuer, 'assertion'>;
  nowMs: () => number;
  socksUrl: () => string;
  status: () => Omit<GatewayStatus, 'ready' | 'unknownFlowMarks'>;
  onBearerRemoved: (bearerId: string) => void;
  /** Is given the registry of the metrics. */
  onMetrics?: (registry: Registry) => void;
}

/** Returns the HTTP server for the operator (bearers), for proxies (flow marks) and for monitoring. */
export async function createGatewayControl(options: GatewayControlOptions): Promise<FastifyInstance> {
  const { publicPerAddress, unauthenticatedPerAddress, perProxy, perOperator } = options.control.rateLimits;
  const { server, connections } = await createGuardedServer({
    name: 'gateway control',
    logger: options.logger,
    limits: options.control.limits,
    limitsField: 'control.limits',
    rates: {
      byAddress: { public: publicPerAddress, secret: unauthenticatedPerAddress },
      byIdentity: { proxy: perProxy, operator: perOperator },
    },
    identify: ({ headers }) => identityOf(options, bearerToken(headers.authorization)),
    unauthorized: () => bodyOf('secret_invalid'),
  });
  server.setSerializerCompiler(serializerCompiler);
  await server.register(swagger, { openapi: OPENAPI, transform: jsonSchemaTransform });
  let unknownFlowMarks = 0;
  const status = (): GatewayStatus => {
    const { kafkaProblem, ...rest } = options.status();
    return { ready: kafkaProblem === null, ...rest, kafkaProblem, unknownFlowMarks };
  };
  const metrics = exportGateway(status);
  exportConnections(metrics, { control: connections });
  options.onMetrics?.(metrics);
  monitoringRoutes(server, status, metrics);
  flowMarkRoute(server, options, (count) => {
    unknownFlowMarks += count;
  });
  bearerRoutes(server, options);
  return server;
}

function monitoringRoutes(instance: FastifyInstance, status: () => GatewayStatus, metrics: Registry): void {
  const server = instance.withTypeProvider<ZodTypeProvider>();
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
      summary: 'What the gateway does now',
      response: { 200: statusSchema, 503: statusSchema, ...refusalsOf() },
    },
    handler: async (_, reply) => {
      const now = status();
      return reply.code(now.ready ? 200 : 503).send(now);
    },
  });
  server.get('/metrics', {
    config: { access: 'operator' },
    schema: {
      summary: 'Metrics for Prometheus',
      security: [{ operatorSecret: [] }],
      response: { 200: textAnswer('text/plain', 'Prometheus’ text format.'), ...refusalsOf('secret_invalid') },
    },
    handler: async (_, reply) => reply.type(metrics.contentType).send(await metrics.metrics()),
  });
}

function flowMarkRoute(
  instance: FastifyInstance,
  options: GatewayControlOptions,
  countUnknown: (count: number) => void,
): void {
  instance.withTypeProvider<ZodTypeProvider>().post('/v1/flow-marks', {
    config: { access: 'proxy' },
    bodyLimit: FLOW_MARKS_OCTETS,
    schema: {
      summary: 'Say what flows to the proxy carry',
      security: [{ proxySecret: [] }],
      body: flowMarksSchema,
      response: { 200: flowMarksAnswerSchema, ...refusalsOf('secret_invalid', 'other_proxy') },
    },
    handler: async (request, reply) => {
      const proxy = proxyOf(options, bearerToken(request.headers.authorization));
      if (proxy === undefined) return refuse(reply, 'secret_invalid');
      const { marks } = request.body;
      if (marks.some((mark) => isForeign(mark, proxy))) return refuse(reply, 'other_proxy');
      const outcomes = marks.map((mark) => options.flows.mark(mark));
      countUnknown(outcomes.filter((outcome) => outcome !== 'marked').length);
      const at = (wanted: MarkedAs) => outcomes.flatMap((outcome, index) => (outcome === wanted ? [index] : []));
      return { ended: at('ended'), unknown: at('unknown') };
    },
  });
}

function bearerRoutes(instance: FastifyInstance, options: GatewayControlOptions): void {
  const server = instance.withTypeProvider<ZodTypeProvider>();
  const { bearers, identity, nowMs, socksUrl, onBearerRemoved } = options;
  const answer = async ({ bearerId, msisdn, terminalIp, chargingId }: StoredBearer): Promise<BearerAnswer> => {
    const identityAssertion = await identity.assertion(msisdn, terminalIp, nowMs());
    return { bearerId, terminalIp, chargingId, identityAssertion, socksUrl: socksUrl() };
  };
  const params = z.strictObject({ bearerId: z.string().min(1).max(64) });
  const common = { config: { access: 'operator' } };
  const security = [{ operatorSecret: [] }];
  server.post('/v1/bearers', {
    ...common,
    bodyLimit: BEARER_OCTETS,
    schema: {
      summary: 'Attach a terminal',
      security,
      body: bearerRequestSchema,
      response: { 201: bearerAnswerSchema, ...refusalsOf('secret_invalid', 'no_address_left') },
    },
    handler: async ({ body }, reply) => {
      const created = bearers.create(body.msisdn, body.imsi ?? null);
      if ('refusal' in created) return refuse(reply, created.refusal);
      return reply.code(201).send(await answer(created.bearer));
    },
  });
  server.get('/v1/bearers/:bearerId', {
    ...common,
    schema: {
      summary: 'The bearer, with another identity assertion: each expires',
      security,
      params,
      response: { 200: bearerAnswerSchema, ...refusalsOf('secret_invalid', 'bearer_unknown') },
    },
    handler: async (request, reply) => {
      const bearer = bearers.get(request.params.bearerId);
      return bearer === null ? refuse(reply, 'bearer_unknown') : reply.send(await answer(bearer));
    },
  });
  server.delete('/v1/bearers/:bearerId', {
    ...common,
    schema: {
      summary: 'Detach the terminal; its connections break',
      security,
      params,
      response: { 204: z.null(), ...refusalsOf('secret_invalid', 'bearer_unknown') },
    },
    handler: async ({ params: { bearerId } }, reply) => {
      if (!bearers.remove(bearerId)) return refuse(reply, 'bearer_unknown');
      onBearerRemoved(bearerId);
      return reply.code(204).send(null);
    },
  });
}

function identityOf(options: GatewayControlOptions, secret: string | undefined): HttpIdentity | null {
  if (isSecret(secret, options.operatorSecret)) return { kind: 'operator', key: '' };
  const proxy = proxyOf(options, secret);
  return proxy === undefined ? null : { kind: 'proxy', key: proxy.proxyId };
}

function proxyOf({ proxies }: GatewayControlOptions, secret: string | undefined): RegisteredProxy | undefined {
  // All are compared, whichever it is.
  return proxies.filter((proxy) => proxy.secret.matches(secret))[0];
}

function isForeign({ proxyIp }: FlowMark, { addresses }: RegisteredProxy): boolean {
  return !addresses.includes(proxyIp);
}

function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1];
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
    title: 'zerorate gateway simulator, control interface',
    description: 'Where the operator attaches terminals and proxies mark flows.',
    version: '1',
  },
  components: {
    securitySchemes: {
      proxySecret: { type: 'http', scheme: 'bearer', description: 'The secret of a proxy.' },
      operatorSecret: { type: 'http', scheme: 'bearer', description: 'The secret of the operator.' },
    },
  },
} as const;
