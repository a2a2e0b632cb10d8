import { acceptSocks5, type Socks5Destination, type Socks5Reply, socks5Reply } from '../../platform/network/socks5.ts';
import type { ProxyRefusal } from '../protocol/refusal.ts';
import { splitSocks5Password } from '../protocol/relay-message.ts';
import { type NotAdmitted, refused } from './admission.ts';
import type { EndpointServices } from './connect-endpoint.ts';
import { dial } from './connect-upstream.ts';
import { lingeringEnd } from './linger.ts';
import type { Accepted } from './listener.ts';
import { canonicalIp } from './private-address.ts';
import type { ProxySession } from './proxy-session.ts';
import { Tunnel } from './proxy-tunnel.ts';
import type { AssociationGate } from './udp/association-gate.ts';
import type { AssociationServices } from './udp/association-options.ts';
import { UdpAssociation } from './udp/udp-association.ts';

const REPLIES: Partial<Record<ProxyRefusal, Socks5Reply>> = {
  upstream_failed: 'host_unreachable',
  too_many_connections: 'general_failure',
  buffers_full: 'general_failure',
};

export interface UdpServices extends Omit<AssociationServices, 'logRefusal'> {
  gate: AssociationGate;
  /** Address that terminals reach the proxy at, where it is another than the one that it sees itself; else null. */
  advertisedIp: string | null;
}

interface Client {
  session: ProxySession;
  sessionTags: string[];
}

/** SOCKS5 with user and password, CONNECT and UDP ASSOCIATE (RFC 1928, 1929): the user is the token's id, the password is proved by the session key; behind a dot it may hold a session tag. */
export class Socks5Endpoint {
  readonly #services: EndpointServices;

  readonly #udp: UdpServices;

  constructor(services: EndpointServices, udp: UdpServices) {
    this.#services = services;
    this.#udp = udp;
  }

  readonly take = (accepted: Accepted): void => {
    void this.#take(accepted);
  };

  async #take(accepted: Accepted): Promise<void> {
    const { admission, limits, logger } = this.#services;
    const { stream, raw } = accepted;
    const log = ({ refusal, detail }: NotAdmitted) => logger.info({ reason: refusal, endpoint: 'socks5' }, detail);
    const terminalIp = canonicalIp(raw.remoteAddress ?? '') ?? '';
    const request = await acceptSocks5<Client>(stream, ({ user, password }) => {
      const { proof, sessionTags } = splitSocks5Password(password);
      const session = admission.bySocks5(user, proof, terminalIp);
      if (!('refusal' in session)) return { session, sessionTags };
      log(session);
      return null;
    });
    accepted.admitted();
    if (request === null) return lingeringEnd(accepted);
    const refuse = (refusal: NotAdmitted) => {
      log(refusal);
      if (stream.writable) stream.write(socks5Reply(REPLIES[refusal.refusal] ?? 'not_allowed'));
      lingeringEnd(accepted);
    };
    const { session, sessionTags } = request.client;
    if (request.command === 'udp_associate') {
      return this.#associate(accepted, request.client, { from: request.destination, log, refuse });
    }
    const admitted = await admission.admit(session, request.destination, { sessionTags });
    if ('refusal' in admitted) return refuse(admitted);
    if (raw.destroyed || admitted.destination === null) return;
    const tunnel = new Tunnel(accepted, admitted, this.#services);
    try {
      const upstream = await dial(admitted.destination, limits.connectTimeoutMs);
      await tunnel.open(upstream, socks5Reply('succeeded'), Buffer.alloc(0));
    } catch (error) {
      refuse(refused('upstream_failed', (error as Error).message));
    }
  }

  async #associate(
    accepted: Accepted,
    { session, sessionTags }: Client,
    {
      from,
      log,
      refuse,
    }: { from: Socks5Destination; log: (refusal: NotAdmitted) => void; refuse: (refusal: NotAdmitted) => void },
  ): Promise<void> {
    const terminalIp = canonicalIp(accepted.raw.remoteAddress ?? '') ?? '';
    const { gate, advertisedIp, ...services } = this.#udp;
    const tagged = sessionTags.length === 0 ? null : await services.admission.admitTagged(session, sessionTags);
    if (tagged !== null && 'refusal' in tagged) return refuse(tagged);
    const refusal = services.admission.affordConnection(session);
    if (refusal !== null) return refuse(refusal);
    const entered = gate.enter(session, terminalIp);
    if ('refusal' in entered) return refuse(entered);
    if (accepted.raw.destroyed) return entered.leave();
    const options = { services: { ...services, logRefusal: log }, expectedPort: expectedPort(from, terminalIp) };
    const tag = tagged === null ? null : { admitted: tagged, text: sessionTags[0] };
    const association = new UdpAssociation(accepted, session, { ...options, tag, leave: entered.leave });
    try {
      await association.open(advertisedIp);
    } catch (error) {
      refuse(refused('upstream_failed', (error as Error).message));
    }
  }
}

/** The port that the client's datagrams come from, if it says so (RFC 1928, 6); 0 if not, or if it sees itself at another address. */
function expectedPort({ host, port }: Socks5Destination, terminalIp: string): number {
  const ip = canonicalIp(host);
  return ip === terminalIp || ip === '0.0.0.0' || ip === '::' ? port : 0;
}
