import { acceptSocks5, type Socks5Reply, socks5Reply } from '../platform/socks5.ts';
import type { ProxyRefusal } from '../session-protocol/refusal.ts';
import { splitSocks5Password } from '../session-protocol/relay-message.ts';
import { type Refused, refused } from './admission.ts';
import type { DoorServices } from './connect-door.ts';
import { dial } from './dial.ts';
import { lingeringEnd } from './linger.ts';
import type { Accepted } from './listener.ts';
import { canonicalIp } from './private-address.ts';
import type { Session } from './session.ts';
import { Tunnel } from './tunnel.ts';

const REPLIES: Partial<Record<ProxyRefusal, Socks5Reply>> = {
  upstream_failed: 'host_unreachable',
  too_many_connections: 'general_failure',
};

interface Client {
  session: Session;
  sessionTags: string[];
}

/** SOCKS5 with user and password (RFC 1928, 1929): the user is the token's id, the password is proved by the session key; behind a dot it may hold a session tag. */
export class Socks5Door {
  readonly #services: DoorServices;

  constructor(services: DoorServices) {
    this.#services = services;
  }

  readonly take = (accepted: Accepted): void => {
    void this.#take(accepted);
  };

  async #take(accepted: Accepted): Promise<void> {
    const { admission, limits, logger } = this.#services;
    const { stream, raw } = accepted;
    const log = ({ refusal, detail }: Refused) => logger.info({ reason: refusal, door: 'socks5' }, detail);
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
    const refuse = (refusal: Refused) => {
      log(refusal);
      if (stream.writable) stream.write(socks5Reply(REPLIES[refusal.refusal] ?? 'not_allowed'));
      lingeringEnd(accepted);
    };
    const { session, sessionTags } = request.client;
    const admitted = await admission.admit(session, request.destination, { sessionTags });
    if ('refusal' in admitted) return refuse(admitted);
    if (raw.destroyed || admitted.destination === null) return;
    const tunnel = new Tunnel(accepted, admitted, this.#services);
    try {
      const upstream = await dial(admitted.destination, limits.dialMs);
      await tunnel.open(upstream, socks5Reply('succeeded'), Buffer.alloc(0));
    } catch (error) {
      refuse(refused('upstream_failed', (error as Error).message));
    }
  }
}
