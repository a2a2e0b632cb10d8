import rateLimitPlugin from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import {
  hasZodFastifySchemaValidationErrors,
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod';
import { accountRoutes } from './account-routes.ts';
import { exportDispatch } from './dispatch-metrics.ts';
import { erasureRoutes } from './erasure-routes.ts';
import { healthRoutes } from './health-routes.ts';
import type { HttpOptions } from './http-options.ts';
import { sendRefusal } from './http-refusal.ts';
import { operatorRoutes } from './operator-routes.ts';
import { proxyRoutes } from './proxy-routes.ts';
import { rateLimits } from './rate-limits.ts';
import { terminalRoutes } from './terminal-routes.ts';

/** Of one request; usage reports come a thousand at a time. */
const BODY_LIMIT = 2 * 2 ** 20;

/** The dispatch server's HTTP interface; inert until it listens. The page of its documentation is `/documentation`. */
export async function createHttpServer(options: HttpOptions): Promise<FastifyInstance> {
  const { logger } = options.context;
  const server: FastifyInstance = fastify({
    // What is worth a line is logged where it happens, and holds no number, token or key.
    logger: false,
    bodyLimit: BODY_LIMIT,
    trustProxy: options.trustedProxies.length === 0 ? false : [...options.trustedProxies],
    ...(options.tls === undefined ? {} : { https: options.tls }),
  } as object);
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  server.setErrorHandler((error: FastifyError, request, reply) => {
    if (hasZodFastifySchemaValidationErrors(error) || (error.statusCode !== undefined && error.statusCode < 500)) {
      return sendRefusal(reply, { refusal: 'invalid_request', detail: error.message }, error.statusCode ?? 400);
    }
    logger.error({ err: error, method: request.method, route: request.routeOptions.url }, 'a request failed');
    return reply.code(500).send({ error: 'the request could not be carried out' });
  });
  server.setNotFoundHandler((_, reply) =>
    sendRefusal(reply, { refusal: 'invalid_request', detail: 'there is no such path' }, 404),
  );
  await server.register(swagger, { openapi: OPENAPI, transform: jsonSchemaTransform });
  await server.register(swaggerUi, { routePrefix: '/documentation' });
  await server.register(rateLimitPlugin, { global: false });
  const metrics = exportDispatch(server, options.context, options.health);
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
