import type { FastifyInstance } from 'fastify';
import { Health } from '../../platform/http/health.ts';
import { PeerSecret } from '../../platform/http/peer-secret.ts';
import { createLogger } from '../../platform/telemetry/logger.ts';
import type { DispatchContext } from '../../sessions/dispatch/context.ts';
import { dispatchConfigSchema } from '../../sessions/dispatch/dispatch-config-schema.ts';
import { createHttpServer } from '../../sessions/dispatch/routes/dispatch-http-server.ts';
import type { HttpOptions } from '../../sessions/dispatch/routes/http-options.ts';
import { gatewaySchema } from '../../sessions/gateway/gateway-config.ts';
import { createGatewayControl, type GatewayControlOptions } from '../../sessions/gateway/gateway-control.ts';
import { proxyConfigSchema } from '../../sessions/proxy/proxy-config-schema.ts';
import { createProxyControl, type ProxyControlOptions } from '../../sessions/proxy/proxy-control-server.ts';

/** Resolves with the OpenAPI documents of the HTTP interfaces, by file name, as the servers themselves give them. */
export async function openApiDocuments(): Promise<Record<string, string>> {
  return {
    'dispatch.openapi.json': await documentOf(createHttpServer(dispatchOptions())),
    'gateway-control.openapi.json': await documentOf(createGatewayControl(gatewayOptions())),
    'proxy-control.openapi.json': await documentOf(createProxyControl(proxyOptions())),
  };
}

async function documentOf(creation: Promise<FastifyInstance>): Promise<string> {
  const server = await creation;
  await server.ready();
  const text = `${JSON.stringify(server.swagger(), null, 2)}\n`;
  await server.close();
  return text;
}

/** No request is answered, so that only what declares the routes has to be there. */
const logger = createLogger({ level: 'silent', format: 'json' });

function dispatchOptions(): HttpOptions {
  const { http, rateLimits } = dispatchConfigSchema.pick({ http: true, rateLimits: true }).parse({});
  return {
    context: { logger } as DispatchContext,
    health: new Health(),
    operatorSecret: '',
    rateLimits,
    limits: http.limits,
    trustedProxies: [],
  } as Partial<HttpOptions> as HttpOptions;
}

function gatewayOptions(): GatewayControlOptions {
  return {
    control: gatewaySchema.shape.control.parse({ port: 0 }),
    logger,
    operatorSecret: '',
    proxies: [],
  } as Partial<GatewayControlOptions> as GatewayControlOptions;
}

function proxyOptions(): ProxyControlOptions {
  const { limits } = proxyConfigSchema.pick({ limits: true }).parse({});
  return {
    endpoint: { host: '127.0.0.1', port: 0 },
    limits,
    secret: PeerSecret.of(''),
    applicationIds: [],
    health: new Health(),
    logger,
  } as Partial<ProxyControlOptions> as ProxyControlOptions;
}
