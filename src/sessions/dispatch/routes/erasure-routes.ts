import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import * as z from 'zod';
import { boundedList } from '../../../platform/http/read-message.ts';
import { eraseSubscriber } from '../erasure/erase-subscriber.ts';
import { refusalsOf } from './dispatch-refusal.ts';
import type { HttpOptions } from './http-options.ts';

const ERASURE_OCTETS = 4096;

/** The operator's erasure of a subscriber. The number is in the body, as paths are in logs of reverse proxies. */
export function erasureRoutes(instance: FastifyInstance, { context, accounts }: HttpOptions): void {
  const server = instance.withTypeProvider<ZodTypeProvider>();
  server.post('/v1/subscribers/erasure', {
    config: { access: 'operator' },
    bodyLimit: ERASURE_OCTETS,
    schema: {
      summary:
        'Remove all that is stored of a subscriber; open sessions are ended first. Before the number is erased from the key',
      tags: ['operator'],
      security: [{ operatorSecret: [] }],
      body: z.strictObject({
        numbers: boundedList(z.string().regex(/^\d{1,15}$/), { min: 1, max: 16 }).describe(
          'The subscriber’s MSISDN, IMSI and other numbers.',
        ),
      }),
      response: {
        200: z.strictObject({ endedSessions: z.int().min(0), removedEntries: z.int().min(0) }),
        ...refusalsOf('token_invalid'),
      },
    },
    handler: async ({ body: { numbers } }) => {
      const pseudonyms = numbers.map((number) => context.pseudonymKey.pseudonymOf(number).toString('hex'));
      const erasure = await eraseSubscriber(context, pseudonyms);
      for (const pseudonym of pseudonyms) accounts.forget(pseudonym);
      context.logger.info({ ...erasure }, 'a subscriber was erased from the store');
      return erasure;
    },
  });
}
