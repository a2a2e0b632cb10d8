import { createHash, timingSafeEqual } from 'node:crypto';
import { type FastifyInstance, type FastifyReply, fastify } from 'fastify';
import type { Registry } from 'prom-client';
import * as z from 'zod';
import type { Health } from '../platform/health.ts';
import { ListenError } from '../platform/listen-error.ts';
import type { Logger } from '../platform/logger.ts';
import type { Secret } from '../platform/secret.ts';
import { announcementSchema } from '../session-protocol/dispatch-messages.ts';
import type { DoorDocument } from './proxy-config-schema.ts';
import { exportProxy, type ProxyFigures } from './proxy-metrics.ts';
import type { SessionRegistry } from './session-registry.ts';
import { readTlsFiles } from './tls-files.ts';
import { MAX_ID_LENGTH } from './usage-spool.ts';

const MAX_BODY_OCTETS = 64 * 1024;

export interface ControlServerOptions {
  door: DoorDocument;
  secret: Secret;
  registry: SessionRegistry;
  applicationIds: readonly string[];
  health: Health;
  logger: Logger;
  figures(): ProxyFigures;
  /** Is given the registry of the metrics. */
  onMetrics?: ((registry: Registry) => void) | undefined;
}

/**
 * `PUT /v1/sessions/:sessionId` for the dispatch server, `GET /health/live`, `/health/ready` and `/v1/figures` for monitoring, and
 * `/metrics` for Prometheus, with the proxy's secret.
 * Announcements are answered with 204, or with `{ reason, message }`.
 */
export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #server: FastifyInstance;

  constructor(options: ControlServerOptions) {
    this.#options = options;
    const { tls } = options.door;
    const https = tls && readTlsFiles(tls);
    this.#server = fastify({ bodyLimit: MAX_BODY_OCTETS, https: https ?? null }) as unknown as FastifyInstance;
    this.#server.get('/health/live', () => ({ live: true }));
    this.#server.get('/health/ready', (_, reply) => {
      const { isReady, problems } = options.health;
      return reply.code(isReady ? 200 : 503).send({ ready: isReady, problems });
    });
    this.#server.get('/v1/figures', () => options.figures());
    const metrics = exportProxy(options.figures, options.health);
    options.onMetrics?.(metrics);
    this.#server.get('/metrics', async (request, reply) => {
      if (!isAuthorized(request.headers.authorization, options.secret)) {
        return refuse(reply, 401, 'unauthorized', 'not with this proxy’s secret');
      }
      return reply.type(metrics.contentType).send(await metrics.metrics());
    });
    this.#server.put<{ Params: { sessionId: string } }>('/v1/sessions/:sessionId', (request, reply) => {
      if (!isAuthorized(request.headers.authorization, options.secret)) {
        return refuse(reply, 401, 'unauthorized', 'not with this proxy’s secret');
      }
      return this.#announce(request.params.sessionId, request.body, reply);
    });
  }

  get port(): number {
    const address = this.#server.server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Rejects with a ConfigError when the port is taken. */
  async start(): Promise<void> {
    const { host, port } = this.#options.door;
    try {
      await this.#server.listen({ host, port });
    } catch (cause) {
      throw new ListenError('listen.control', { host, port }, cause);
    }
  }

  async stop(): Promise<void> {
    await this.#server.close();
  }

  #announce(sessionId: string, body: unknown, reply: FastifyReply): FastifyReply {
    const { registry, applicationIds } = this.#options;
    const read = announcementSchema.safeParse(body);
    if (!read.success) return refuse(reply, 400, 'invalid_announcement', z.prettifyError(read.error));
    const terms = read.data;
    if (terms.sessionId !== sessionId) return refuse(reply, 400, 'invalid_announcement', 'of another session');
    if (sessionId.length > MAX_ID_LENGTH) {
      return refuse(reply, 400, 'invalid_announcement', `a session id has ${MAX_ID_LENGTH} characters at most`);
    }
    if (!applicationIds.includes(terms.applicationId)) {
      return refuse(reply, 422, 'unknown_application', 'this proxy does not serve the application');
    }
    switch (registry.announce(terms)) {
      case 'session_over':
        return refuse(reply, 409, 'session_over', 'the session has ended here');
      case 'full':
        return refuse(reply, 503, 'full', 'as many sessions as this proxy has room for');
      case 'taken':
      case 'outdated':
        return reply.code(204).send();
    }
  }
}

function refuse(reply: FastifyReply, status: number, reason: string, message: string): FastifyReply {
  return reply.code(status).send({ reason, message });
}

/** Compared as digests: neither time nor length tells anything. */
function isAuthorized(header: string | undefined, secret: Secret): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(header ?? ''), digest(`Bearer ${secret.reveal()}`));
}
