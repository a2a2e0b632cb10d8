import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { jsonSchemaTransform, serializerCompiler } from 'fastify-type-provider-zod';
import { createGuardedServer, type HttpIdentity } from '../../../platform/http/http-guard.ts';
import { exportConnections } from '../../../platform/http/http-metrics.ts';
import { isSecret } from '../../../platform/http/secret-comparison.ts';
import { accountRoutes } from '../accounts/account-routes.ts';
import { exportDispatch } from '../dispatch-metrics.ts';
import { refusalBody, sendRefusal } from './dispatch-refusal.ts';
import { erasureRoutes } from './erasure-routes.ts';
import { healthRoutes } from './health-routes.ts';
import type { HttpOptions } from './http-options.ts';
import { operatorRoutes } from './operator-routes.ts';
import { credentialsOf, proxyRoutes } from './proxy-routes.ts';
import { rateLimits } from './rate-limits.ts';
import { terminalRoutes } from './terminal-routes.ts';

/** The dispatch server's HTTP interface; inert until it listens. The page of its documentation is `/documentation`. */
export async function createHttpServer(options: HttpOptions): Promise<FastifyInstance> {
  const { perAddress, publicPerAddress, unauthenticatedPerAddress, perProxy, perOperator } = options.rateLimits;
  const { server, connections } = await createGuardedServer({
    name: 'dispatch',
    logger: options.context.logger,
    limits: options.limits,
    limitsField: 'http.limits',
    rates: {
      byAddress: { terminal: perAddress, public: publicPerAddress, secret: unauthenticatedPerAddress },
      byIdentity: { proxy: perProxy, operator: perOperator },
    },
    identify: (request) => identityOf(options, request),
    unauthorized: (access) =>
      refusalBody({
        refusal: 'token_invalid',
        detail: access === 'operator' ? 'the secret is not the operator’s' : 'the secret is not this proxy’s',
      }),
    trustedProxies: options.trustedProxies,
    publicPrefix: DOCUMENTATION,
    tls: options.tls,
  });
  server.setSerializerCompiler(serializerCompiler);
  await server.register(swagger, { openapi: OPENAPI, transform: jsonSchemaTransform });
  await server.register(swaggerUi, { routePrefix: DOCUMENTATION });
  const metrics = exportDispatch(server, options);
  exportConnections(metrics, { http: connections });
  const limits = rateLimits(server, options.rateLimits);
  options.onMetrics?.(metrics);
  await server.register(async (scope) => {
    scope.addHook('onRequest', async (_, reply) => {
      if (options.isStarted?.() === false) await sendRefusal(reply, { refusal: 'starting', retryAfterMs: 1000 });
    });
    terminalRoutes(scope, options, limits);
  });
  proxyRoutes(server, options);
  operatorRoutes(server, options, metrics);
  erasureRoutes(server, options);
  await server.register(async (scope) => accountRoutes(scope, options));
  healthRoutes(server, options);
  return server;
}

/** A proxy by its secret or client certificate, the operator by the secret. */
function identityOf({ context, operatorSecret }: HttpOptions, request: FastifyRequest): HttpIdentity | null {
  const credentials = credentialsOf(request);
  if (isSecret(credentials.secret, operatorSecret)) return { kind: 'operator', key: 'operator' };
  const proxyId = context.proxies.identify(credentials);
  return proxyId === null ? null : { kind: 'proxy', key: proxyId };
}

const DOCUMENTATION = '/documentation';

const OPENAPI = {
  openapi: '3.1.0',
  info: {
    title: 'zerorate dispatch server',
    description: 'Gives terminals their proxy and a token for it, and keeps what proxies report.',
    // Of the interface: its paths begin with it.
    version: '1',
  },
  components: {
    securitySchemes: {
      token: { type: 'http', scheme: 'bearer', description: 'The session token.' },
      proxySecret: { type: 'http', scheme: 'bearer', description: 'The secret of the proxy.' },
      operatorSecret: { type: 'http', scheme: 'bearer', description: 'The secret of the operator.' },
    },
  },
} as const;
