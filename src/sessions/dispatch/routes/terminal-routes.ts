import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { createLocalJWKSet } from 'jose';
import * as z from 'zod';
import { formatIp, parseIp } from '../../../rating/ip-address.ts';
import {
  type SessionRequest,
  type SessionStatus,
  sessionGrantSchema,
  sessionRequestSchema,
  sessionStatusSchema,
} from '../../protocol/dispatch-messages.ts';
import type { IdentityClaims } from '../../protocol/identity-assertion.ts';
import { verifySessionToken } from '../../protocol/session-token.ts';
import type { OneTimeAssertion } from '../accounts/account-verifier.ts';
import type { IdentityVerdict } from '../accounts/identity.ts';
import { type DispatchContext, isRefused, type Refused } from '../context.ts';
import type { DispatchSession } from '../dispatch-session.ts';
import { endSession } from '../end-session.ts';
import { openSession } from '../open-session.ts';
import { renewSession } from '../renew-session.ts';
import { remainingFor } from '../reports/take-reports.ts';
import { type SessionProof, USED_IDENTITY } from '../session-proof.ts';
import { publicKeys } from '../token-signing-keys.ts';
import { refusalsOf, sendRefusal } from './dispatch-refusal.ts';
import type { HttpOptions } from './http-options.ts';
import type { RateLimits } from './rate-limits.ts';

const ENTITLEMENT = [
  'unknown_application',
  'sponsor_suspended',
  'no_plan',
  'evidence_not_in_force',
  'quota_exhausted',
  'quota_reserved',
  'too_many_sessions',
  'no_proxy',
] as const;
const ACCOUNT = ['account_unverified', 'account_bound'] as const;
const OF_SESSION = ['session_unknown', 'session_over', 'token_invalid'] as const;
const RETRY_IDENTITY_AFTER_MS = 1000;
/** Assertions are 4 KiB each at most. */
const SESSION_REQUEST_OCTETS = 16 * 1024;
const ACCESS = { access: 'terminal' } as const;
const params = z.object({ sessionId: z.string().min(1).max(64) });

/** What terminals ask: a session, another token for it, its state, its end. To be registered in a scope of its own. */
export function terminalRoutes(instance: FastifyInstance, options: HttpOptions, limits: RateLimits): void {
  const server = instance.withTypeProvider<ZodTypeProvider>();
  const { context } = options;
  const holder = (request: FastifyRequest<{ Params: { sessionId: string } }>, mustBeOpen: boolean) =>
    sessionOfToken(
      context,
      {
        sessionId: request.params.sessionId,
        token: bearerOf(request.headers.authorization),
        terminalIp: oneForm(request.ip),
      },
      mustBeOpen,
    );

  server.post('/v1/sessions', {
    config: ACCESS,
    bodyLimit: SESSION_REQUEST_OCTETS,
    schema: {
      summary: 'Ask for a session',
      tags: ['terminals'],
      body: sessionRequestSchema,
      response: {
        201: sessionGrantSchema,
        ...refusalsOf(
          'starting',
          'assertion_invalid',
          'assertion_expired',
          'assertion_mismatch',
          ...ACCOUNT,
          ...ENTITLEMENT,
        ),
      },
    },
    handler: async (request, reply) => {
      const granted = await ask(options, limits, request, request.body);
      return isRefused(granted) ? sendRefusal(reply, granted) : reply.code(201).send(granted);
    },
  });

  server.post('/v1/sessions/:sessionId/renewal', {
    config: ACCESS,
    schema: {
      summary: 'Ask for another token and, as far as the quota goes, a higher cap',
      tags: ['terminals'],
      security: [{ token: [] }],
      params,
      response: { 200: sessionGrantSchema, ...refusalsOf('starting', ...ENTITLEMENT, ...OF_SESSION) },
    },
    handler: async (request, reply) => {
      const session = await holder(request, true);
      const granted = isRefused(session) ? session : await renewSession(context, session.sessionId);
      return isRefused(granted) ? sendRefusal(reply, granted) : reply.send(granted);
    },
  });

  server.get('/v1/sessions/:sessionId', {
    config: ACCESS,
    schema: {
      summary: 'The session’s state, by what its proxy has reported',
      tags: ['terminals'],
      security: [{ token: [] }],
      params,
      response: { 200: sessionStatusSchema, ...refusalsOf('starting', 'session_unknown', 'token_invalid') },
    },
    handler: async (request, reply) => {
      const session = await holder(request, false);
      return isRefused(session) ? sendRefusal(reply, session) : reply.send(statusOf(options, session));
    },
  });

  server.delete('/v1/sessions/:sessionId', {
    config: ACCESS,
    schema: {
      summary: 'End the session',
      tags: ['terminals'],
      security: [{ token: [] }],
      params,
      response: { 204: z.null(), ...refusalsOf('starting', 'session_unknown', 'token_invalid') },
    },
    handler: async (request, reply) => {
      const session = await holder(request, false);
      if (isRefused(session)) return sendRefusal(reply, session);
      await endSession(context, session.sessionId, 'ended', 'terminal_left');
      return reply.code(204).send(null);
    },
  });
}

async function ask(options: HttpOptions, limits: RateLimits, request: FastifyRequest, body: SessionRequest) {
  const { context } = options;
  const terminalIp = oneForm(request.ip);
  const identity = await identify(options, body, terminalIp);
  if (isRefused(identity)) return identity;
  const subscriber = context.pseudonymKey.pseudonymOf(identity.sub).toString('hex');
  const limited = await limits.ofSubscriber(request, subscriber);
  if (limited !== null) return limited;
  const proof = await proveAccount(options, body, { identity, subscriber });
  if (isRefused(proof)) return proof;
  // Nothing of the body that says who the terminal is goes beyond this line.
  const { region } = body;
  return openSession(context, { proof, terminalIp, ...(region !== undefined && { region }) });
}

/** The claims of the identity assertion when the terminal is who it says it is. */
async function identify(
  { context, identity }: HttpOptions,
  { msisdn, identityAssertion }: SessionRequest,
  terminalIp: string,
): Promise<IdentityClaims | Refused> {
  let verdict: IdentityVerdict;
  try {
    verdict = await identity.verify(identityAssertion, context.clock.nowMs());
  } catch (error) {
    context.logger.warn({ err: error }, 'an identity assertion could not be verified');
    return { refusal: 'assertion_invalid', detail: 'not now', retryAfterMs: RETRY_IDENTITY_AFTER_MS };
  }
  if (verdict.refusal !== undefined) return verdict;
  const { sub, terminalIp: provenIp } = verdict.claims;
  if (sub !== msisdn) return { refusal: 'assertion_mismatch', detail: 'it is of another MSISDN' };
  if (oneForm(provenIp) !== terminalIp) return { refusal: 'assertion_mismatch', detail: 'it is of another address' };
  return context.store.isAssertionUsed(oneTimeOf(verdict.claims)) ? USED_IDENTITY : verdict.claims;
}

/** The account, proven together with the identity. Only the grant uses assertions up: a refused terminal may show them again. */
async function proveAccount(
  { context, accounts }: HttpOptions,
  { applicationId, accountAssertion, applicationAccount }: SessionRequest,
  { identity, subscriber }: { identity: IdentityClaims; subscriber: string },
): Promise<SessionProof | Refused> {
  const isKnown = context.catalogue.applications.some(({ id }) => id === applicationId);
  if (!isKnown) return { refusal: 'unknown_application' };
  const claim = {
    ...{ applicationId, msisdn: identity.sub, subscriber, identity },
    ...{ assertion: accountAssertion, wanted: applicationAccount },
  };
  const verdict = await accounts.verify(claim, context.clock.nowMs());
  if (verdict.refusal !== undefined) return verdict;
  return {
    applicationId,
    account: verdict.account,
    subscriber,
    subscribersPerAccount: accounts.subscribersPerAccount(applicationId),
    identityAssertion: oneTimeOf(identity),
    accountAssertion: verdict.assertion,
  };
}

function oneTimeOf({ iss, jti, exp }: IdentityClaims): OneTimeAssertion {
  return { issuer: iss, id: jti, expiresAtMs: exp * 1000 };
}

function statusOf({ context }: HttpOptions, session: DispatchSession): SessionStatus {
  const { sessionId, state, sponsoredOctetsCap, usedSponsoredOctets } = session;
  return {
    sessionId,
    state,
    sponsoredOctetsCap,
    usedSponsoredOctets,
    remainingOctets: remainingFor(context, session),
  };
}

/** The secret or token of `Authorization: Bearer`; undefined when the header is not of that form. */
function bearerOf(authorization: string | undefined): string | undefined {
  return /^Bearer ([^\s]+)$/i.exec(authorization ?? '')?.[1];
}

interface TokenHolder {
  sessionId: string;
  token: string | undefined;
  /** Where the request comes from. */
  terminalIp: string;
}

/**
 * Returns the session of a token, at the address that the token was given to. Any token of the session will do that has
 * not expired, as the answer with a newer one may have been lost. With `mustBeOpen`, one that is over is refused.
 */
async function sessionOfToken(
  { store, clock }: DispatchContext,
  { sessionId, token, terminalIp }: TokenHolder,
  mustBeOpen: boolean,
): Promise<DispatchSession | Refused> {
  const session = store.session(sessionId);
  if (session === undefined) return { refusal: 'session_unknown' };
  if (mustBeOpen && session.state !== 'open') return { refusal: 'session_over' };
  if (token === undefined) return { refusal: 'token_invalid', detail: 'there is none' };
  const verdict = await verifySessionToken(token, {
    getKey: createLocalJWKSet(publicKeys(store.fact('signingKeys') ?? [])),
    proxyId: session.proxyId,
    nowMs: clock.nowMs(),
  });
  if ('refusal' in verdict) return { refusal: 'token_invalid', detail: verdict.detail };
  if (verdict.claims.sessionId !== sessionId) return { refusal: 'token_invalid', detail: 'it is of another session' };
  if (session.terminalIp !== terminalIp) return { refusal: 'token_invalid', detail: 'it was given to another address' };
  return session;
}

/** An address in its one form: IPv4 also where it came as ::ffff:a.b.c.d. What is no address stays as it is. */
function oneForm(address: string): string {
  const words = new Uint32Array(4);
  return parseIp(address, words, 0) ? formatIp(words) : address;
}
