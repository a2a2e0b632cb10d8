import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import * as z from 'zod';
import { MAX_ACCOUNT_LENGTH } from '../../protocol/account-name.ts';
import type { DispatchContext } from '../context.ts';
import type { AccountName } from '../dispatch-store.ts';
import { endSession } from '../end-session.ts';
import { refusalsOf } from '../routes/dispatch-refusal.ts';
import type { HttpOptions } from '../routes/http-options.ts';

const ACCESS = { access: 'operator' } as const;
const params = z.object({ applicationId: z.string().min(1).max(64) });
const account = z.string().min(1).max(MAX_ACCOUNT_LENGTH).describe('The account, exactly as its sponsor writes it.');
const subscriber = z.string().regex(/^[\da-f]{32}$/);

/** What the operator does about the accounts that are bound to subscribers. To be registered in a scope of its own. */
export function accountRoutes(instance: FastifyInstance, { context, accounts }: HttpOptions): void {
  const server = instance.withTypeProvider<ZodTypeProvider>();
  server.get('/v1/accounts/:applicationId', {
    config: ACCESS,
    schema: {
      summary: 'The subscribers (pseudonyms) that an account is bound to',
      tags: ['operator'],
      security: [{ operatorSecret: [] }],
      params,
      querystring: z.strictObject({ account }),
      response: {
        200: z.strictObject({
          subscribers: z.array(z.strictObject({ subscriber, boundAtMs: z.int().min(0) })),
        }),
        ...refusalsOf('token_invalid'),
      },
    },
    handler: async ({ params: { applicationId }, query }, reply) => {
      return reply.send({ subscribers: context.store.accountBindings({ applicationId, account: query.account }) });
    },
  });

  server.delete('/v1/accounts/:applicationId', {
    config: ACCESS,
    schema: {
      summary: 'End the binding of an account, so that another subscriber can use it; its open sessions are revoked',
      tags: ['operator'],
      security: [{ operatorSecret: [] }],
      params,
      querystring: z.strictObject({
        account,
        subscriber: subscriber.optional().describe('The pseudonym of the only subscriber to end it for; absent: all.'),
      }),
      response: { 204: z.null(), ...refusalsOf('token_invalid') },
    },
    handler: async ({ params: { applicationId }, query }, reply) => {
      const name = { applicationId, account: query.account };
      // A remembered answer of the sponsor would bind the account again.
      for (const { subscriber } of context.store.accountBindings(name)) accounts.forget(subscriber, applicationId);
      const ended = await endAccountBindings(context, name, query.subscriber);
      context.logger.info({ applicationId, bindings: ended }, 'the operator ended the binding of an account');
      return reply.code(204).send(null);
    },
  });
}

/**
 * Ends the bindings of an account, or the one to a single subscriber, and revokes the open sessions of the account that its
 * subscribers have. Resolves with how many bindings that were.
 */
async function endAccountBindings(
  context: DispatchContext,
  account: AccountName,
  onlySubscriber?: string,
): Promise<number> {
  const { store } = context;
  const ended = await store.transaction(() => {
    const bindings = store
      .accountBindings(account)
      .filter(({ subscriber }) => onlySubscriber === undefined || subscriber === onlySubscriber);
    for (const binding of bindings) store.removeAccountBinding(account, binding);
    return bindings;
  });
  for (const { subscriber } of ended) await revokeSessions(context, account, subscriber);
  return ended.length;
}

async function revokeSessions(
  context: DispatchContext,
  { applicationId, account }: AccountName,
  subscriber: string,
): Promise<void> {
  for (const session of context.store.allLiveSessionsOf(subscriber)) {
    const isOfAccount = session.applicationId === applicationId && session.applicationAccount === account;
    if (isOfAccount && session.state === 'open') await endSession(context, session.sessionId, 'revoked', 'revoked');
  }
}
