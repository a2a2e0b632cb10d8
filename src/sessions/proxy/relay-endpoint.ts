import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import type { SessionTagsAnswer } from '../protocol/dispatch-messages.ts';
import { type Admitted, type NotAdmitted, refused } from './admission.ts';
import { type EndpointServices, tagsOf } from './connect-endpoint.ts';
import type { Accepted } from './listener.ts';
import { canonicalIp } from './private-address.ts';
import { ProxyRelayConnection } from './proxy-relay-connection.ts';
import type { ProxySession } from './proxy-session.ts';
import { answerHttp, refuseHttp } from './refuse-http.ts';

const PATH = '/v1/relay/';
const TAGS_PATH = '/v1/session-tags';
/** Before its payload a message has a header of 64 KiB at most. A frame that is larger than both is not even read. */
const MAX_HEADER_OCTETS = 2 + 65_535;

/** Of one message. Each costs more memory than a payload of few octets. */
const MAX_FRAGMENTS = 1024;

/** WebSocket (RFC 6455) on `/v1/relay/<content type>`. */
export class RelayEndpoint {
  readonly #services: EndpointServices;
  readonly #accepted = new WeakMap<Socket, Accepted>();
  readonly #server: Server;
  readonly #webSockets: WebSocketServer;
  readonly #frames: { maxPayload: number; maxFragments: number; perMessageDeflate: false };

  constructor(services: EndpointServices) {
    this.#services = services;
    const { headerBytes, messageBytes } = services.limits;
    this.#frames = {
      maxPayload: messageBytes + MAX_HEADER_OCTETS,
      maxFragments: MAX_FRAGMENTS,
      perMessageDeflate: false,
    };
    this.#webSockets = new WebSocketServer({ noServer: true, clientTracking: false, autoPong: false, ...this.#frames });
    this.#server = createServer({ maxHeaderSize: headerBytes });
    this.#server.maxHeadersCount = 0;
    this.#server.on('upgrade', (request, socket, head) => {
      const accepted = this.#accepted.get(socket as Socket);
      if (accepted !== undefined) void this.#upgrade(accepted, request, head);
    });
    this.#server.on('request', (request) => {
      const { socket, method, url } = request;
      const accepted = this.#accepted.get(socket);
      if (method === 'GET' && url === TAGS_PATH && accepted !== undefined) void this.#giveTags(accepted, request);
      else this.#answer(socket, 426, `a WebSocket on ${PATH}<content type>`);
    });
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      this.#answer(socket as Socket, error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400, 'these headers are not taken');
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

  async #upgrade(accepted: Accepted, request: IncomingMessage, head: Buffer): Promise<void> {
    accepted.admitted();
    const { admission, logger } = this.#services;
    const refuse = (refusal: NotAdmitted) => {
      logger.info({ reason: refusal.refusal, endpoint: 'relay' }, refusal.detail);
      refuseHttp(accepted, refusal, 'server');
    };
    const session = await this.#sessionOf(accepted, request);
    if ('refusal' in session) return refuse(session);
    const [, relay = ''] = /^\/v1\/relay\/(\w+)$/.exec(request.url ?? '') ?? [];
    const admitted = await admission.admit(session, { relay }, tagsOf(request));
    if ('refusal' in admitted) return refuse(admitted);
    if (accepted.raw.destroyed) return;
    const { messageBytes } = this.#services.limits;
    const options = { services: this.#services, maxPayloadOctets: messageBytes };
    const connection = new ProxyRelayConnection(accepted, admitted, options);
    try {
      const { upstream, socket } = await this.#connect(admitted);
      await connection.begin();
      if (connection.isEnding || accepted.raw.destroyed) {
        upstream.terminate();
        accepted.raw.destroy();
        return;
      }
      const { stream } = accepted;
      this.#webSockets.handleUpgrade(request, stream, head, (terminal) => connection.open(terminal, upstream, socket));
      // What is no handshake has been answered and ended by the library.
      if (!(stream as { destroyed: boolean }).destroyed) stream.once('close', () => upstream.terminate());
      else upstream.terminate();
    } catch (error) {
      refuse(refused('upstream_failed', (error as Error).message));
    }
  }

  #sessionOf({ raw }: Accepted, { headers }: IncomingMessage): Promise<ProxySession | NotAdmitted> {
    const [, token = null] = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
    return this.#services.admission.byToken(token, canonicalIp(raw.remoteAddress ?? '') ?? '');
  }

  /** Hands a session's tags to its terminal. */
  async #giveTags(accepted: Accepted, request: IncomingMessage): Promise<void> {
    const session = await this.#sessionOf(accepted, request);
    if ('refusal' in session) {
      this.#services.logger.info({ reason: session.refusal, endpoint: 'relay' }, session.detail);
      return refuseHttp(accepted, session, 'server');
    }
    const { sessionTags = {}, tokenExpiresAtMs } = session.terms;
    const body: SessionTagsAnswer = { sessionTags, expiresAtMs: tokenExpiresAtMs };
    answerHttp(accepted, 200, { body });
  }

  /** The application's message server, paused. */
  #connect({ application, session, contentType }: Admitted): Promise<{ upstream: WebSocket; socket: Duplex }> {
    const url = new URL(application.relayUpstream ?? '');
    url.searchParams.set('account', session.terms.applicationAccount);
    url.searchParams.set('contentType', contentType);
    return new Promise((resolve, reject) => {
      const upstream = new WebSocket(url, {
        ...this.#frames,
        handshakeTimeout: this.#services.limits.connectTimeoutMs,
      });
      let socket: Duplex | null = null;
      upstream.once('upgrade', (response) => {
        socket = response.socket;
      });
      upstream.once('open', () => {
        upstream.pause();
        if (socket !== null) resolve({ upstream, socket });
      });
      upstream.on('error', reject);
    });
  }
}
