import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Registry } from 'prom-client';
import * as z from 'zod';
import type { ReportedUsage } from '../session-protocol/dispatch-messages.ts';
import { endSession } from './end-session.ts';
import type { HttpOptions } from './http-options.ts';
import { refusalsOf, sendRefusal } from './http-refusal.ts';
import { bearerOf, isSecret } from './secret-check.ts';

const OTHERS = 'the secret is not the operator’s';
const timeMs = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** What the operator does: takes sessions away, reads what proxies have reported, and scrapes the metrics. */
export function operatorRoutes(
  instance: FastifyInstance,
  { context, operatorSecret }: HttpOptions,
  metrics: Registry,
): void {
  const server = instance.withTypeProvider<ZodTypeProvider>();
  const isOperator = (authorization: string | undefined) => isSecret(bearerOf(authorization), operatorSecret);

  server.post('/v1/sessions/:sessionId/revocation', {
    schema: {
      summary: 'Take a session away; its proxy ends it',
      tags: ['operator'],
      security: [{ operatorSecret: [] }],
      params: z.object({ sessionId: z.string().min(1).max(64) }),
      response: { 204: z.null(), ...refusalsOf('session_unknown', 'token_invalid') },
    },
    handler: async (request, reply) => {
      if (!isOperator(request.headers.authorization)) {
        return sendRefusal(reply, { refusal: 'token_invalid', detail: OTHERS });
      }
      const session = await endSession(context, request.params.sessionId, 'revoked', 'revoked');
      if (session === undefined) return sendRefusal(reply, { refusal: 'session_unknown' });
      return reply.code(204).send(null);
    },
  });

  server.get('/v1/usage-reports', {
    schema: {
      summary: 'The reports that start in [fromMs, toMs), as NDJSON',
      tags: ['operator'],
      security: [{ operatorSecret: [] }],
      querystring: z.object({
        fromMs: timeMs.default(0).describe('Milliseconds since 1970.'),
        toMs: timeMs.default(Number.MAX_SAFE_INTEGER).describe('Milliseconds since 1970.'),
      }),
      response: {
        200: z.any().describe('One report a line, with what is known of its session.'),
        ...refusalsOf('token_invalid'),
      },
    },
    handler: async (request, reply) => {
      if (!isOperator(request.headers.authorization)) {
        return sendRefusal(reply, { refusal: 'token_invalid', detail: OTHERS });
      }
      const { fromMs, toMs } = request.query;
      const lines = Readable.from(linesOf(context.store.reports(fromMs, toMs)));
      return reply.type('application/x-ndjson').send(lines);
    },
  });

  server.get('/metrics', {
    schema: {
      summary: 'Metrics for Prometheus',
      tags: ['operator'],
      security: [{ operatorSecret: [] }],
      response: { 200: z.string(), ...refusalsOf('token_invalid') },
    },
    handler: async (request, reply) => {
      if (!isOperator(request.headers.authorization)) {
        return sendRefusal(reply, { refusal: 'token_invalid', detail: OTHERS });
      }
      return reply.type(metrics.contentType).send(await metrics.metrics());
    },
  });
}

function* linesOf(reports: Iterable<ReportedUsage>): Generator<string> {
  for (const report of reports) yield `${JSON.stringify(report)}\n`;
}
