import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import * as z from 'zod';
import { publicKeys } from '../token-signing-keys.ts';
import { refusalsOf } from './dispatch-refusal.ts';
import type { HttpOptions } from './http-options.ts';

const ACCESS = { access: 'public' } as const;
const byPart = z.record(z.string(), z.string());
const readinessSchema = z.object({ ready: z.boolean(), problems: byPart, warnings: byPart });

/** The public keys of tokens, and whether the server lives and works. */
export function healthRoutes(instance: FastifyInstance, { context, health }: HttpOptions): void {
  const server = instance.withTypeProvider<ZodTypeProvider>();

  server.get('/.well-known/jwks.json', {
    config: ACCESS,
    schema: {
      summary: 'The keys that tokens are signed with: next, current and retired ones (RFC 7517)',
      tags: ['keys'],
      response: { 200: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }), ...refusalsOf() },
    },
    handler: async (_, reply) => {
      void reply.header('cache-control', 'public, max-age=60');
      return publicKeys(context.store.fact('signingKeys') ?? []) as { keys: Record<string, unknown>[] };
    },
  });

  server.get('/health/live', {
    config: ACCESS,
    schema: {
      summary: 'Whether the process runs',
      tags: ['health'],
      response: { 200: z.object({ live: z.boolean() }), ...refusalsOf() },
    },
    handler: async () => ({ live: true }),
  });

  server.get('/health/ready', {
    config: ACCESS,
    schema: {
      summary: 'Whether it does its work, and what keeps it',
      tags: ['health'],
      response: { 200: readinessSchema, 503: readinessSchema, ...refusalsOf() },
    },
    handler: async (_, reply) =>
      reply.code(health.isReady ? 200 : 503).send({
        ready: health.isReady,
        problems: { ...health.problems },
        warnings: { ...health.warnings },
      }),
  });
}
