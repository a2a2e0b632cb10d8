import rateLimitPlugin from '@fastify/rate-limit';
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify';
import { addressGroup } from '../network/address-group.ts';
import { type ConnectionBound, ConnectionLimits } from '../network/connection-limits.ts';
import { fitConnections, openFilesLimit } from '../network/open-files.ts';
import { trustedAddresses } from '../network/trusted-addresses.ts';
import type { Logger } from '../telemetry/logger.ts';
import { rarely } from '../telemetry/rare-log.ts';
import { answerBrokenRequests } from './broken-requests.ts';
import type { HttpLimits, RequestRate } from './http-limits-schema.ts';
import { MethodTable } from './http-methods.ts';
import { type HttpRefusal, httpRefusal, type RefusalBody } from './http-refusal.ts';
import { isTooDeep } from './json-body.ts';
import { readMessage } from './read-message.ts';

/** Of a route that takes no body. */
const NO_BODY_OCTETS = 1024;

/** Who a request is from, by the secret that it shows. */
export interface HttpIdentity {
  /** As a route's `access` names it: `operator`, `proxy`. */
  kind: string;
  /** Its requests are counted under this key. */
  key: string;
  /** How many peers share the secret, each with the whole rate; 1 when absent. */
  peers?: number;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** `public` and `terminal` routes take every request, others only those with a secret of this kind. A route without it is refused at start. */
    access?: string;
  }
}

export interface HttpGuardOptions {
  /** Names the server in log lines. */
  name: string;
  logger: Logger;
  limits: HttpLimits;
  /** Configuration field of `limits`, for messages. */
  limitsField: string;
  rates: {
    /** Requests of one address without a secret, by the `access` of their route; other routes count as `secret`. */
    byAddress: Readonly<Record<'public' | 'secret', RequestRate>> & Readonly<Record<string, RequestRate>>;
    /** Requests with a secret, by its kind. */
    byIdentity: Readonly<Record<string, RequestRate>>;
  };
  /** Reads the headers alone. Null: no secret, or one that is not known. */
  identify: (request: FastifyRequest) => HttpIdentity | null;
  /** Whether an identity of the kind that the route asks for may call it with these parameters. */
  mayCall?: (identity: HttpIdentity, request: FastifyRequest) => boolean;
  /** What a request without the secret of its route is answered. */
  unauthorized: (access: string) => RefusalBody;
  trustedProxies?: readonly string[];
  /** Of paths that a plugin serves, which are public. */
  publicPrefix?: string;
  tls?: { cert: string | Buffer; key: string | Buffer } | null | undefined;
}

export interface GuardedServer {
  server: FastifyInstance;
  connections: ConnectionLimits;
}

/**
 * Returns an HTTP server that looks at a request in this order, each before anything behind it is read: connection limits,
 * headers, rate (by secret, or else by address and kind of route), URL, secret, size of the body, its depth and schema. A request
 * without a secret never uses up the rate of one with it. Every refusal is `{ reason, message }` with one fault in it.
 */
export async function createGuardedServer(options: HttpGuardOptions): Promise<GuardedServer> {
  const { limits, tls } = options;
  const connections = connectionLimits(options);
  const sockets = {
    headersTimeout: Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs),
    maxHeaderSize: limits.headerBytes,
    connectionsCheckingInterval: Math.max(20, Math.min(1000, Math.floor(limits.headersTimeoutMs / 4))),
  };
  const settings = {
    // What is worth a line is logged where it happens, and holds no number, token or key.
    logger: false,
    bodyLimit: NO_BODY_OCTETS,
    trustProxy: options.trustedProxies?.length ? [...options.trustedProxies] : false,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionTimeout: limits.idleTimeoutMs,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: limits.urlBytes },
    frameworkErrors: (_: Error, request: FastifyRequest, reply: FastifyReply) => void badUrl(request, reply),
    clientErrorHandler: answerBrokenRequests(limits.headerBytes),
    ...(tls ? { https: { ...tls, ...sockets } } : { http: sockets }),
  } satisfies object as FastifyServerOptions;
  const server = fastify(settings) as unknown as FastifyInstance;
  server.server.on('connection', (socket) => {
    if (!connections.enter(socket)) socket.destroy();
  });
  await server.register(rateLimitPlugin, { global: false });
  const rateOf = requestRates(server, options);
  const badUrl = async (request: FastifyRequest, reply: FastifyReply) => {
    const retryAfterMs = await rateOf(request, null, 'public');
    if (retryAfterMs !== null) return sendRateLimited(reply, retryAfterMs);
    return sendHttpRefusal(reply, 'invalid_request', 'the URL is not well-formed');
  };
  acceptJsonOnly(server);
  requireAccess(server, options.publicPrefix);
  refuseEarly(server, { options, connections, rateOf });
  limitBodyTime(server, limits.bodyTimeoutMs);
  answerFaults(server, options);
  return { server, connections };
}

/** Sends a refusal of HTTP itself. */
function sendHttpRefusal(reply: FastifyReply, reason: HttpRefusal, detail?: string): FastifyReply {
  const { status, body } = httpRefusal(reason, detail);
  return reply.code(status).type('application/json').send(body);
}

function connectionLimits({ name, logger, limits, limitsField, trustedProxies = [] }: HttpGuardOptions) {
  const need = { field: `${limitsField}.connections`, connections: limits.connections, filesPerConnection: 1 };
  const { connections, warning } = fitConnections(need, openFilesLimit());
  if (warning !== null) logger.warn({ server: name }, warning);
  const { connectionsPerAddress } = limits;
  const log = rarely((bound: ConnectionBound, times) => {
    const field = bound === 'total' ? 'connections' : 'connectionsPerAddress';
    const value = bound === 'total' ? connections : connectionsPerAddress;
    logger.warn(
      { server: name, bound, times },
      `${limitsField}.${field} = ${value} is reached: connections are closed. Raise it if these are not a flood`,
    );
  });
  const isExempt = trustedAddresses(trustedProxies);
  return new ConnectionLimits({ connections, connectionsPerAddress, isExempt, onReached: log });
}

type RateOf = (request: FastifyRequest, identity: HttpIdentity | null, access: string) => Promise<number | null>;

/** Returns what counts a request, and resolves with the milliseconds to wait when its rate is exceeded. */
function requestRates(server: FastifyInstance, { rates }: HttpGuardOptions): RateOf {
  const keys = new WeakMap<FastifyRequest, { key: string; peers: number }>();
  const counterOf = ({ requests, intervalMs }: RequestRate) =>
    server.createRateLimit({
      max: (request) => requests * (keys.get(request)?.peers ?? 1),
      timeWindow: intervalMs,
      keyGenerator: (request) => keys.get(request)?.key ?? '',
    });
  const counters = (of: Readonly<Record<string, RequestRate>>) =>
    new Map(Object.entries(of).map(([kind, rate]) => [kind, counterOf(rate)]));
  const byAddress = counters(rates.byAddress);
  const byIdentity = counters(rates.byIdentity);
  return async (request, identity, access) => {
    const counter =
      identity === null ? (byAddress.get(access) ?? byAddress.get('secret')) : byIdentity.get(identity.kind);
    if (counter === undefined) return null;
    const key = identity === null ? addressGroup(request.ip) : identity.key;
    keys.set(request, { key, peers: identity?.peers ?? 1 });
    const counted = await counter(request);
    return !counted.isAllowed && counted.isExceeded ? Math.max(1, counted.ttl) : null;
  };
}

/** The only bodies that are read are JSON of bounded depth. */
function acceptJsonOnly(server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser('error', 'error');
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (body.length === 0) return done(null, undefined);
    if (isTooDeep(body)) return done(badRequest('the body nests arrays and objects too deep'), undefined);
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    } catch {
      return done(badRequest('the body is not UTF-8'), undefined);
    }
    parse(request, text, (error, value) => done(error && badRequest('the body is not JSON'), value));
  });
  server.setValidatorCompiler(({ schema }) => (message: unknown) => {
    const read = readMessage(schema as never, message);
    return read.fault === undefined ? { value: read.value } : { error: badRequest(read.fault) };
  });
}

function badRequest(message: string): Error {
  return Object.assign(new Error(message), { statusCode: 400 });
}

/** A route without `access`, or with a body of no stated size, is a defect that the start finds. */
function requireAccess(server: FastifyInstance, publicPrefix?: string): void {
  server.addHook('onRoute', (route) => {
    const place = `${String(route.method)} ${route.url}`;
    if (publicPrefix !== undefined && route.url.startsWith(publicPrefix)) return;
    if (route.config?.access === undefined) throw new Error(`${place} does not say its access (config.access)`);
    if (route.schema?.body !== undefined && route.bodyLimit === undefined) {
      throw new Error(`${place} does not say the size of its body (bodyLimit)`);
    }
  });
}

interface EarlyChecks {
  options: HttpGuardOptions;
  connections: ConnectionLimits;
  rateOf: RateOf;
}

/** Answers what no route takes: 405 where the path has other methods, else 404. */
function unknownAnswers(server: FastifyInstance): (request: FastifyRequest, reply: FastifyReply) => FastifyReply {
  const methods = new MethodTable();
  server.addHook('onRoute', ({ method, url }) => methods.add(method, url));
  const send = (request: FastifyRequest, reply: FastifyReply) => {
    const allowed = methods.of(request.raw.url ?? '');
    if (allowed.length === 0) return sendHttpRefusal(closeUnread(request, reply), 'path_unknown');
    const answer = closeUnread(request, reply).header('allow', allowed.join(', '));
    return sendHttpRefusal(answer, 'method_not_allowed');
  };
  server.setNotFoundHandler(send);
  return send;
}

/** What is decided by request line and headers. */
function refuseEarly(server: FastifyInstance, { options, connections, rateOf }: EarlyChecks): void {
  const sendUnknown = unknownAnswers(server);
  const { limits, identify, mayCall = () => true, unauthorized } = options;
  server.addHook('onRequest', async (request, reply) => {
    const { access = 'public' } = request.routeOptions.config;
    const identity = identify(request);
    if (identity !== null) connections.trust(request.raw.socket);
    const retryAfterMs = await rateOf(request, identity, access);
    // What is pipelined behind it is not read.
    if (retryAfterMs !== null) return sendRateLimited(reply.header('connection', 'close'), retryAfterMs);
    if ((request.raw.url ?? '').length > limits.urlBytes) {
      return sendHttpRefusal(closeUnread(request, reply), 'url_too_long', `at most ${limits.urlBytes} bytes`);
    }
    // Before the body, which some methods demand.
    if (request.is404) return sendUnknown(request, reply);
    const isOpen = access === 'public' || access === 'terminal';
    if (isOpen || (identity?.kind === access && mayCall(identity, request))) return;
    return closeUnread(request, reply).code(401).type('application/json').send(unauthorized(access));
  });
  server.addHook('preHandler', async ({ raw: { socket } }) => connections.hold(socket));
  server.addHook('onResponse', async ({ raw: { socket } }) => connections.release(socket));
}

function sendRateLimited(reply: FastifyReply, retryAfterMs: number): FastifyReply {
  const { status, body } = httpRefusal('rate_limited');
  return reply
    .code(status)
    .header('retry-after', Math.ceil(retryAfterMs / 1000))
    .type('application/json')
    .send({ ...body, retryAfterMs: Math.ceil(retryAfterMs) });
}

/** A body that is not read ends its connection, so that a refused request cannot keep sending. */
function closeUnread({ headers }: FastifyRequest, reply: FastifyReply): FastifyReply {
  const octets = Number(headers['content-length'] ?? 0);
  const hasLongBody = headers['transfer-encoding'] !== undefined || octets > NO_BODY_OCTETS;
  return hasLongBody ? reply.header('connection', 'close') : reply;
}

function limitBodyTime(server: FastifyInstance, timeoutMs: number): void {
  const deadlines = new WeakMap<FastifyRequest, NodeJS.Timeout>();
  const clear = async (request: FastifyRequest) => clearTimeout(deadlines.get(request));
  server.addHook('preParsing', async (request, reply) => {
    const late = () => {
      if (reply.sent || request.raw.complete) return;
      sendHttpRefusal(reply.header('connection', 'close'), 'request_timeout', `a body has ${timeoutMs} ms`);
    };
    deadlines.set(request, setTimeout(late, timeoutMs));
  });
  server.addHook('preValidation', clear);
  server.addHook('onResponse', clear);
  server.addHook('onRequestAbort', clear);
}

const BODY_FAULTS: Readonly<Record<string, HttpRefusal>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'media_type_unsupported',
};

function answerFaults(server: FastifyInstance, { logger, name }: HttpGuardOptions): void {
  server.setErrorHandler((error: FastifyError, request, reply) => {
    const bodyFault = BODY_FAULTS[error.code];
    if (bodyFault !== undefined) return sendHttpRefusal(reply, bodyFault);
    if (error.statusCode !== undefined && error.statusCode < 500) {
      return sendHttpRefusal(reply, 'invalid_request', error.message);
    }
    logger.error(
      { err: error, server: name, method: request.method, route: request.routeOptions.url },
      'a request failed; it was answered with 500',
    );
    return sendHttpRefusal(reply, 'internal_error');
  });
}
