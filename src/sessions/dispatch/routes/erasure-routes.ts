import { setTimeout as pause } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import * as z from 'zod';
import { boundedList } from '../../../platform/http/read-message.ts';
import type { DispatchContext } from '../context.ts';
import { isWhollyReported } from '../dispatch-session.ts';
import { endSession } from '../end-session.ts';
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

/** So long a session's last reports are waited for: what comes later is of an unknown session, and is not taken. */
const REPORTS_WITHIN_MS = 5000;
const LOOK_EVERY_MS = 100;

interface Erasure {
  /** Sessions that were open. */
  endedSessions: number;
  /** Entries of the store that were removed. */
  removedEntries: number;
}

/**
 * Ends a subscriber's open sessions, waits a few seconds for their last reports, and removes all that the store has of the
 * subscriber. Done again it finds nothing.
 */
export async function eraseSubscriber(
  context: DispatchContext,
  pseudonyms: readonly string[],
  reportsWithinMs = REPORTS_WITHIN_MS,
): Promise<Erasure> {
  const { store } = context;
  store.refuseErased(pseudonyms);
  const live = () => pseudonyms.flatMap((each) => store.sessionsOf(each)).filter(({ isSettled }) => !isSettled);
  const open = live().filter(({ state }) => state === 'open');
  await Promise.all(open.map(({ sessionId }) => endSession(context, sessionId, 'revoked', 'revoked')));
  const giveUpAtMs = performance.now() + reportsWithinMs;
  const isAwaited = () => live().some((session) => session.sequences.through > 0 && !isWhollyReported(session));
  while (isAwaited() && performance.now() < giveUpAtMs) await pause(LOOK_EVERY_MS);
  return { endedSessions: open.length, removedEntries: await store.erase(pseudonyms) };
}
