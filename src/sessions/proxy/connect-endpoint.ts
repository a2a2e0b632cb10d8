import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { TAG_HEADER } from '../protocol/flow-mark.ts';
import { SESSION_TAG_HEADER } from '../protocol/session-tag.ts';
import { type Admission, type NotAdmitted, refused, type TagOffer } from './admission.ts';
import { dial } from './connect-upstream.ts';
import type { Accepted } from './listener.ts';
import { canonicalIp } from './private-address.ts';
import { type ConnectionServices, Tunnel } from './proxy-tunnel.ts';
import { answerHttp, refuseHttp } from './refuse-http.ts';

export interface EndpointServices extends ConnectionServices {
  admission: Admission;
  logger: Logger;
  limits: { connectTimeoutMs: number; headerBytes: number; messageBytes: number };
}

const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n';

/** HTTP CONNECT (RFC 9110, 9.3.6). */
export class ConnectEndpoint {
  readonly #services: EndpointServices;
  readonly #accepted = new WeakMap<Socket, Accepted>();
  readonly #server: Server;

  constructor(services: EndpointServices) {
    this.#services = services;
    // It parses and listens to nothing itself: connections and their deadlines are the listener's.
    this.#server = createServer({ maxHeaderSize: services.limits.headerBytes });
    // Bounded by their octets: past a limit by number Node would ignore headers that a gateway sees.
    this.#server.maxHeadersCount = 0;
    this.#server.on('connect', (request, socket, head) => {
      const accepted = this.#accepted.get(socket as Socket);
      if (accepted !== undefined) void this.#connect(accepted, request, head);
    });
    this.#server.on('request', ({ socket }) => this.#answer(socket, 405, 'CONNECT is all that is spoken here'));
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (error.code === 'HPE_HEADER_OVERFLOW') this.#answer(socket as Socket, 431, 'these headers are too large');
      else this.#answer(socket as Socket, 400, 'this is no HTTP');
    });
  }

  readonly take = (accepted: Accepted): void => {
    this.#accepted.set(accepted.stream, accepted);
    this.#server.emit('connection', accepted.stream);
  };

  #answer(socket: Socket, status: number, message: string): void {
    const accepted = this.#accepted.get(socket);
    if (accepted === undefined || socket.destroyed) return;
    answerHttp(accepted, status, { body: { message } });
  }

  async #connect(accepted: Accepted, request: IncomingMessage, head: Buffer): Promise<void> {
    accepted.admitted();
    const { admission, limits, logger } = this.#services;
    const refuse = (refusal: NotAdmitted) => {
      logger.info({ reason: refusal.refusal, endpoint: 'connect' }, refusal.detail);
      refuseHttp(accepted, refusal, 'proxy');
    };
    const { token, user } = proxyCredentials(request.headers['proxy-authorization']);
    const session = await admission.byToken(token, canonicalIp(accepted.raw.remoteAddress ?? '') ?? '', user);
    if ('refusal' in session) return refuse(session);
    const wish = authority(request.url ?? '');
    if (wish === null) return refuse(refused('host_not_allowed', 'expected host:port'));
    const admitted = await admission.admit(session, wish, tagsOf(request));
    if ('refusal' in admitted) return refuse(admitted);
    if (accepted.raw.destroyed || admitted.destination === null) return;
    const tunnel = new Tunnel(accepted, admitted, this.#services);
    try {
      const upstream = await dial(admitted.destination, limits.connectTimeoutMs);
      await tunnel.open(upstream, ESTABLISHED, head);
    } catch (error) {
      refuse(refused('upstream_failed', (error as Error).message));
    }
  }
}

/** `Bearer <token>`, or `Basic` with the session's id as user and the token as password. */
function proxyCredentials(header: string | undefined): { token: string | null; user?: string } {
  const [, scheme, value] = /^(\w+) +(\S+)$/.exec(header ?? '') ?? [];
  if (scheme?.toLowerCase() === 'bearer') return { token: value };
  if (scheme?.toLowerCase() !== 'basic') return { token: null };
  const text = Buffer.from(value, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0 ? { token: '' } : { user: text.slice(0, colon), token: text.slice(colon + 1) };
}

/** The tags among a request's headers, each as often as it is there. */
export function tagsOf({ rawHeaders, headers }: IncomingMessage): TagOffer {
  const sessionTags = rawHeaders.filter(
    (_, at) => at % 2 === 1 && rawHeaders[at - 1].toLowerCase() === SESSION_TAG_HEADER,
  );
  return { hasZeroRatingTag: TAG_HEADER in headers, sessionTags };
}

function authority(text: string): { host: string; port: number } | null {
  const [, host, port] = /^(\[[\da-fA-F:.]+\]|[^:/?#@\s]+):(\d{1,5})$/.exec(text) ?? [];
  return host === undefined || Number(port) > 65_535 ? null : { host, port: Number(port) };
}
