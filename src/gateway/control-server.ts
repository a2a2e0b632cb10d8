import { createHash, timingSafeEqual } from 'node:crypto';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Registry } from 'prom-client';
import * as z from 'zod';
import { E164 } from '../billing/msisdn.ts';
import { flowMarksSchema } from '../session-protocol/flow-mark.ts';
import type { Bearers } from './bearers.ts';
import type { FlowTable } from './flow-table.ts';
import type { RegisteredProxy } from './gateway-config.ts';
import { exportGateway, type GatewayStanding } from './gateway-metrics.ts';
import type { IdentityIssuer } from './identity-issuer.ts';
import type { StoredBearer } from './record-spool.ts';

const bearerRequestSchema = z.strictObject({
  msisdn: z.string().regex(E164),
  imsi: z
    .string()
    .regex(/^\d{6,15}$/)
    .optional(),
});

/** 201 of `POST /v1/bearers`. */
export interface BearerAnswer {
  bearerId: string;
  terminalIp: string;
  chargingId: number;
  identityAssertion: string;
  /** The user plane: SOCKS5 with the bearer's id as the user. */
  socksUrl: string;
}

export interface ControlServerOptions {
  operatorSecret: string;
  proxies: readonly RegisteredProxy[];
  bearers: Bearers;
  flows: FlowTable;
  identity: Pick<IdentityIssuer, 'assertion'>;
  nowMs: () => number;
  socksUrl: () => string;
  standing: () => Omit<GatewayStanding, 'ready' | 'unknownFlowMarks'>;
  onBearerRemoved: (bearerId: string) => void;
  /** Is given the registry of the metrics. */
  onMetrics?: (registry: Registry) => void;
}

type BearerParams = { Params: { bearerId: string } };

/** HTTP for the operator (bearers) and for proxies (flow marks). */
export function controlServer(options: ControlServerOptions): FastifyInstance {
  const server = fastify({ bodyLimit: 2 ** 20, forceCloseConnections: true });
  let unknownFlowMarks = 0;
  server.get('/health/live', () => ({ live: true }));
  const standing = (): GatewayStanding => {
    const { kafkaProblem, ...rest } = options.standing();
    return { ready: kafkaProblem === null, ...rest, kafkaProblem, unknownFlowMarks };
  };
  const metrics = exportGateway(standing);
  options.onMetrics?.(metrics);
  server.get('/health/ready', (_, reply) => {
    const now = standing();
    return reply.code(now.ready ? 200 : 503).send(now);
  });
  server.post('/v1/flow-marks', (request, reply) => {
    const outcome = takeMarks(options, request);
    if ('refusal' in outcome) return refuse(reply, outcome.status, outcome.refusal, outcome.message);
    unknownFlowMarks += outcome.unknown;
    return reply.code(204).send();
  });
  server.register(async (operator) => {
    operator.addHook('onRequest', async (request, reply) => {
      const isOperator = isSecret(bearerToken(request), options.operatorSecret);
      if (!isOperator)
        return refuse(reply, 401, 'secret_invalid', "send the operator's secret as Authorization: Bearer");
    });
    operator.get('/metrics', async (_, reply) => reply.type(metrics.contentType).send(await metrics.metrics()));
    addBearerRoutes(operator, options);
  });
  return server;
}

function addBearerRoutes(
  server: FastifyInstance,
  { bearers, identity, nowMs, socksUrl, onBearerRemoved }: ControlServerOptions,
) {
  const answer = async ({ bearerId, msisdn, terminalIp, chargingId }: StoredBearer): Promise<BearerAnswer> => {
    const identityAssertion = await identity.assertion(msisdn, terminalIp, nowMs());
    return { bearerId, terminalIp, chargingId, identityAssertion, socksUrl: socksUrl() };
  };
  server.post('/v1/bearers', async (request, reply) => {
    const asked = bearerRequestSchema.safeParse(request.body);
    if (!asked.success) return refuse(reply, 400, 'invalid_request', z.prettifyError(asked.error));
    const created = bearers.create(asked.data.msisdn, asked.data.imsi ?? null);
    if ('refusal' in created) return refuse(reply, 503, created.refusal, 'every address of terminalAddresses is taken');
    return reply.code(201).send(await answer(created.bearer));
  });
  // An assertion is good for a while only: here is another one.
  server.get<BearerParams>('/v1/bearers/:bearerId', async ({ params }, reply) => {
    const bearer = bearers.get(params.bearerId);
    if (bearer === null) return refuse(reply, 404, 'bearer_unknown', 'no bearer of this id');
    return answer(bearer);
  });
  server.delete<BearerParams>('/v1/bearers/:bearerId', async ({ params }, reply) => {
    if (!bearers.remove(params.bearerId)) return refuse(reply, 404, 'bearer_unknown', 'no bearer of this id');
    onBearerRemoved(params.bearerId);
    return reply.code(204).send();
  });
}

type MarksOutcome = { unknown: number } | { status: number; refusal: string; message: string };

function takeMarks({ proxies, flows }: ControlServerOptions, request: FastifyRequest): MarksOutcome {
  const token = bearerToken(request);
  const proxy = proxies.find(({ secret }) => isSecret(token, secret));
  if (proxy === undefined) return { status: 401, refusal: 'secret_invalid', message: 'no proxy has this secret' };
  const asked = flowMarksSchema.safeParse(request.body);
  if (!asked.success) return { status: 400, refusal: 'invalid_request', message: z.prettifyError(asked.error) };
  const { marks } = asked.data;
  const foreign = marks.find(({ proxyIp }) => !proxy.addresses.includes(proxyIp));
  if (foreign !== undefined) {
    return { status: 403, refusal: 'other_proxy', message: `${foreign.proxyIp} is no address of ${proxy.proxyId}` };
  }
  return { unknown: marks.filter((mark) => !flows.mark(mark)).length };
}

function refuse(reply: FastifyReply, status: number, reason: string, message: string): FastifyReply {
  return reply.code(status).send({ reason, message });
}

function bearerToken({ headers }: FastifyRequest): string {
  return /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
}

/** In a time that says nothing of how much of it was right. */
function isSecret(given: string, secret: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(secret));
}
