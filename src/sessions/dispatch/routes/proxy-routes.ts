import { TLSSocket } from 'node:tls';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import * as z from 'zod';
import {
  type Heartbeat,
  heartbeatAnswerSchema,
  heartbeatSchema,
  usageReportsAnswerSchema,
  usageReportsSchema,
} from '../../protocol/dispatch-messages.ts';
import { REGISTRATION_REFUSALS, type RegistrationRefusal } from '../../protocol/refusal.ts';
import { clockSkewOf, describeSkew, verdictOn } from '../proxies/clock-skew.ts';
import { type Credentials, type RegistrationRefused, refusedFor } from '../proxies/proxy-registry.ts';
import { takeReports } from '../reports/take-reports.ts';
import { refusalsOf } from './dispatch-refusal.ts';
import type { HttpOptions } from './http-options.ts';

type ById = { Params: { proxyId: string } };
const ACCESS = { access: 'proxy' } as const;
/** A thousand applications of 255 characters, and addresses. */
const HEARTBEAT_OCTETS = 512 * 1024;
/** A thousand reports. */
const USAGE_REPORTS_OCTETS = 2 * 2 ** 20;

const reasons = Object.keys(REGISTRATION_REFUSALS) as [RegistrationRefusal, ...RegistrationRefusal[]];
const refusedSchema = z
  .strictObject({ reason: z.enum(reasons), message: z.string() })
  .describe(reasons.map((reason) => `\`${reason}\`: ${REGISTRATION_REFUSALS[reason]}`).join('; '));
const refusals = { ...refusalsOf(), 401: refusedSchema, 403: refusedSchema };
const security = [{ proxySecret: [] }];

/** What proxies say: that they are there, and what was used. Who calls is known before a body is read. */
export function proxyRoutes(instance: FastifyInstance, options: HttpOptions): void {
  const server = instance.withTypeProvider<ZodTypeProvider>();
  const { context, heartbeatIntervalMs } = options;
  const callerOf = (request: FastifyRequest) => context.proxies.identify(credentialsOf(request));

  server.put<ById>('/v1/proxies/:proxyId', {
    config: ACCESS,
    bodyLimit: HEARTBEAT_OCTETS,
    schema: {
      summary: 'A sign of life: taken with what the configuration says of the proxy, and with nothing else',
      tags: ['proxies'],
      security,
      params: z.object({ proxyId: z.string().min(1).max(64) }),
      body: heartbeatSchema,
      response: { 200: heartbeatAnswerSchema, ...refusals },
    },
    handler: async (request, reply) => {
      const receivedAtMs = context.clock.nowMs();
      const { proxyId } = request.params;
      if (callerOf(request) !== proxyId) return refuse(reply, refusedFor('other_proxy'));
      const refused = register(options, proxyId, request.body as Heartbeat, receivedAtMs);
      if (refused !== null) return refuse(reply, refused);
      return reply.send({ nextWithinMs: heartbeatIntervalMs, receivedAtMs, answeredAtMs: context.clock.nowMs() });
    },
  });

  server.post('/v1/usage-reports', {
    config: ACCESS,
    bodyLimit: USAGE_REPORTS_OCTETS,
    schema: {
      summary:
        'What sessions have used; each report is answered by itself, counted once by its id, and on disk by then',
      tags: ['proxies'],
      security,
      body: usageReportsSchema,
      response: { 200: usageReportsAnswerSchema, ...refusals },
    },
    handler: async (request, reply) => {
      const proxyId = callerOf(request);
      if (proxyId === null) return refuse(reply, refusedFor('token_invalid'));
      return reply.send(await takeReports(context, proxyId, request.body.reports));
    },
  });
}

/** Registers a proxy as it says that it is; null when it is as configured. What is wrong with its clock is in log and health. */
function register(
  { context, health }: HttpOptions,
  proxyId: string,
  heartbeat: Heartbeat,
  nowMs: number,
): RegistrationRefused | null {
  const { proxies, patience, logger } = context;
  const before = proxies.get(proxyId);
  const clockSkewMs = clockSkewOf(heartbeat, nowMs);
  const refused = proxies.heard(proxyId, heartbeat, { nowMs, clockSkewMs });
  const part = `registration.${proxyId}`;
  const isKnown = part in health.warnings;
  health.warn(part, refused === null ? null : `${refused.reason}: ${refused.message}`);
  if (refused !== null) {
    if (!isKnown)
      logger.warn({ proxyId, ...refused }, 'a proxy is not registered: it is not as the configuration says');
    return refused;
  }
  const verdict = verdictOn(clockSkewMs, patience);
  const isExcessive = verdict === 'excessive';
  const consequence = isExcessive ? `${proxyId} is given no sessions` : 'within what is tolerated';
  const warning = `the clock of ${proxyId} is ${describeSkew(clockSkewMs)}: ${consequence}; set it, such as by NTP`;
  health.warn(`clockSkew.${proxyId}`, verdict === 'good' ? null : warning);
  const verdictBefore = before === undefined ? 'good' : verdictOn(before.clockSkewMs, patience);
  if (verdict !== verdictBefore) {
    const isWorse = verdict !== 'good';
    logger[isWorse ? 'warn' : 'info'](
      { proxyId, clockSkewMs },
      isWorse ? warning : `the clock of ${proxyId} is good again`,
    );
  }
  return null;
}

/** What a request proves itself with. */
export function credentialsOf({ headers, raw }: FastifyRequest): Credentials {
  const secret = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
  const { socket } = raw;
  const isProven = socket instanceof TLSSocket && socket.authorized;
  const certificate = isProven ? socket.getPeerX509Certificate() : undefined;
  return { secret, certificate: certificate ?? null };
}

function refuse(reply: FastifyReply, { reason, message }: RegistrationRefused): FastifyReply {
  return reply.code(reason === 'token_invalid' ? 401 : 403).send({ reason, message });
}
