import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import * as z from 'zod';
import { isSecret } from '../platform/secret-comparison.ts';
import {
  heartbeatAnswerSchema,
  heartbeatSchema,
  usageReportsAnswerSchema,
  usageReportsSchema,
} from '../session-protocol/dispatch-messages.ts';
import type { HttpOptions } from './http-options.ts';
import { refusalsOf, sendRefusal } from './http-refusal.ts';
import { bearerOf } from './secret-check.ts';
import { takeReports } from './take-reports.ts';

const ACCESS = { access: 'proxy' } as const;
/** A thousand applications of 255 characters, and addresses. */
const HEARTBEAT_OCTETS = 512 * 1024;
/** A thousand reports. */
const USAGE_REPORTS_OCTETS = 2 * 2 ** 20;
const OTHERS = 'the secret is not this proxy’s';

/** What proxies say: that they are there, and what was used. */
export function proxyRoutes(instance: FastifyInstance, { context, proxySecrets, heartbeatEveryMs }: HttpOptions): void {
  const server = instance.withTypeProvider<ZodTypeProvider>();
  const isOf = (proxyId: string, authorization: string | undefined) => {
    const secret = proxySecrets.get(proxyId);
    return secret !== undefined && isSecret(bearerOf(authorization), secret);
  };

  server.put('/v1/proxies/:proxyId', {
    config: ACCESS,
    bodyLimit: HEARTBEAT_OCTETS,
    schema: {
      summary: 'A sign of life',
      tags: ['proxies'],
      security: [{ proxySecret: [] }],
      params: z.object({ proxyId: z.string().min(1).max(64) }),
      body: heartbeatSchema,
      response: { 200: heartbeatAnswerSchema, ...refusalsOf('token_invalid') },
    },
    handler: async (request, reply) => {
      const { proxyId } = request.params;
      context.proxies.heard(proxyId, request.body, context.clock.nowMs());
      return reply.send({ nextWithinMs: heartbeatEveryMs });
    },
  });

  server.post('/v1/usage-reports', {
    config: ACCESS,
    bodyLimit: USAGE_REPORTS_OCTETS,
    schema: {
      summary: 'What sessions have used; counted once by the report’s id, and on disk when it is answered',
      tags: ['proxies'],
      security: [{ proxySecret: [] }],
      body: usageReportsSchema,
      response: { 200: usageReportsAnswerSchema, ...refusalsOf('token_invalid') },
    },
    handler: async (request, reply) => {
      const { reports } = request.body;
      const [{ proxyId }] = reports;
      const isOne = reports.every((report) => report.proxyId === proxyId);
      if (!isOne || !isOf(proxyId, request.headers.authorization)) {
        return sendRefusal(reply, { refusal: 'token_invalid', detail: OTHERS });
      }
      return reply.send(await takeReports(context, proxyId, reports));
    },
  });
}
