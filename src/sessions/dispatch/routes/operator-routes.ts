import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Registry } from 'prom-client';
import * as z from 'zod';
import { textAnswer } from '../../../platform/http/documented-refusals.ts';
import type { ReportedUsage } from '../../protocol/dispatch-messages.ts';
import { endSession } from '../end-session.ts';
import { refusalsOf, sendRefusal } from './dispatch-refusal.ts';
import type { HttpOptions } from './http-options.ts';

const ACCESS = { access: 'operator' } as const;
const MAX_TIME_DIGITS = 16;
const timeMs = (defaultMs: string) =>
  z
    .string()
    .max(MAX_TIME_DIGITS)
    .regex(/^\d{1,16}$/, { error: 'expected milliseconds since 1970' })
    .default(defaultMs)
    .describe('Milliseconds since 1970.');

/** What the operator does: takes sessions away, reads what proxies have reported, and scrapes the metrics. */
export function operatorRoutes(instance: FastifyInstance, { context }: HttpOptions, metrics: Registry): void {
  const server = instance.withTypeProvider<ZodTypeProvider>();

  server.post('/v1/sessions/:sessionId/revocation', {
    config: ACCESS,
    schema: {
      summary: 'Take a session away; its proxy ends it',
      tags: ['operator'],
      security: [{ operatorSecret: [] }],
      params: z.object({ sessionId: z.string().min(1).max(64) }),
      response: { 204: z.null(), ...refusalsOf('session_unknown', 'token_invalid') },
    },
    handler: async (request, reply) => {
      const session = await endSession(context, request.params.sessionId, 'revoked', 'revoked');
      if (session === undefined) return sendRefusal(reply, { refusal: 'session_unknown' });
      return reply.code(204).send(null);
    },
  });

  server.get('/v1/usage-reports', {
    config: ACCESS,
    schema: {
      summary: 'The reports that start in [fromMs, toMs), as NDJSON',
      tags: ['operator'],
      security: [{ operatorSecret: [] }],
      querystring: z.object({
        fromMs: timeMs('0'),
        toMs: timeMs(String(Number.MAX_SAFE_INTEGER)),
      }),
      response: {
        200: textAnswer('application/x-ndjson', 'One report a line, with what is known of its session.'),
        ...refusalsOf('token_invalid'),
      },
    },
    handler: async (request, reply) => {
      const { fromMs, toMs } = request.query;
      const lines = Readable.from(linesOf(context.store.reports(Number(fromMs), Number(toMs))));
      return reply.type('application/x-ndjson').send(lines);
    },
  });

  server.get('/metrics', {
    config: ACCESS,
    schema: {
      summary: 'Metrics for Prometheus',
      tags: ['operator'],
      security: [{ operatorSecret: [] }],
      response: { 200: textAnswer('text/plain', 'Prometheus’ text format.'), ...refusalsOf('token_invalid') },
    },
    handler: async (_, reply) => {
      return reply.type(metrics.contentType).send(await metrics.metrics());
    },
  });
}

function* linesOf(reports: Iterable<ReportedUsage>): Generator<string> {
  for (const report of reports) yield `${JSON.stringify(report)}\n`;
}
