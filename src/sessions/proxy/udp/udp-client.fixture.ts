import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { parseSocks5Address, type Socks5Destination, socks5Address } from '../../../platform/network/socks5.ts';
import { parseSocks5Datagram, type Socks5Datagram, socks5Datagram } from '../../../platform/network/socks5-datagram.ts';
import { socks5Password, taggedSocks5Password } from '../../protocol/relay-message.ts';
import type { Granted } from '../fake-dispatch.fixture.ts';

export interface ClientOptions {
  /** What the request says of where datagrams come from. */
  from?: (port: number) => Socks5Destination;
  localAddress?: string;
  /** Session tag of the control connection. */
  tag?: string;
}

/** A client of SOCKS5 UDP ASSOCIATE that counts what passes between it and the proxy. */
export class UdpClient {
  readonly control: Socket;
  readonly relay: Socks5Destination;
  readonly socket: UdpSocket;
  readonly received: Socks5Datagram[] = [];
  /** UDP payload, and the control connection's octets. */
  uplinkOctets = 0;
  #downlinkOctets = 0;

  private constructor(control: Socket, relay: Socks5Destination, socket: UdpSocket) {
    this.control = control;
    this.relay = relay;
    this.socket = socket;
    socket.on('message', (octets) => {
      this.#downlinkOctets += octets.length;
      const parsed = parseSocks5Datagram(octets);
      if (parsed.fault === undefined) this.received.push({ peer: parsed.peer, payload: parsed.payload });
    });
  }

  /** Rejects with the reply's code when it is refused. */
  static async open(
    url: string,
    granted: Granted,
    { from, localAddress = '127.0.0.1', tag }: ClientOptions = {},
  ): Promise<UdpClient> {
    const { port, hostname } = new URL(url);
    const host = hostname.replace(/^\[|\]$/g, '');
    const control = connect({ port: Number(port), host, localAddress, noDelay: true });
    control.on('error', () => {});
    const { sessionKey, tokenId } = granted.terms;
    const proof = socks5Password(Buffer.from(sessionKey, 'base64url'), tokenId);
    const password = tag === undefined ? proof : taggedSocks5Password(proof, tag);
    control.write(Buffer.concat([Buffer.of(5, 1, 2), Buffer.of(1, tokenId.length), Buffer.from(tokenId)]));
    control.write(Buffer.concat([Buffer.of(password.length), Buffer.from(password)]));
    const socket = createSocket(localAddress.includes(':') ? 'udp6' : 'udp4');
    socket.bind(0, localAddress);
    await once(socket, 'listening');
    const source = from?.(socket.address().port) ?? { host: '0.0.0.0', port: 0 };
    control.write(Buffer.concat([Buffer.of(5, 3, 0), socks5Address(source)]));
    const reply = await answerOf(control);
    if (typeof reply === 'number') {
      control.destroy();
      socket.close();
      throw new Error(`reply ${reply}`);
    }
    return new UdpClient(control, reply, socket);
  }

  get downlinkOctets(): number {
    return this.#downlinkOctets + this.control.bytesRead;
  }

  get port(): number {
    return this.socket.address().port;
  }

  send(peer: Socks5Destination, payload: Uint8Array | string): Promise<void> {
    return this.sendRaw(socks5Datagram({ peer, payload: Buffer.from(payload) }));
  }

  /** From `socket`, if it is another than the client's own. */
  sendRaw(octets: Uint8Array, socket: UdpSocket = this.socket): Promise<void> {
    if (socket === this.socket) this.uplinkOctets += octets.length;
    return new Promise((resolve, reject) =>
      socket.send(octets, this.relay.port, this.relay.host, (error) => (error === null ? resolve() : reject(error))),
    );
  }

  /** What was received, as text. */
  get texts(): string[] {
    return this.received.map(({ payload }) => payload.toString());
  }

  /** Both directions, with the control connection's. */
  totals(): { uplinkOctets: number; downlinkOctets: number } {
    return { uplinkOctets: this.uplinkOctets + this.control.bytesWritten, downlinkOctets: this.downlinkOctets };
  }

  async close(): Promise<void> {
    if (!this.control.destroyed) {
      const closed = once(this.control, 'close');
      this.control.end();
      await closed;
    }
    this.socket.close();
  }
}

/** Method, verdict and reply: where datagrams are expected, or the code that refuses it. */
async function answerOf(control: Socket): Promise<Socks5Destination | number> {
  let octets = Buffer.alloc(0);
  for await (const chunk of control.iterator({ destroyOnReturn: false })) {
    octets = Buffer.concat([octets, chunk]);
    if (octets.length >= 4 && octets[3] !== 0) return 100 + octets[3];
    if (octets.length >= 6 && octets[5] !== 0) return octets[5];
    const address = octets.length < 8 ? null : parseSocks5Address(octets, 7);
    if (address?.value === undefined) continue;
    control.resume();
    return address.value;
  }
  return -1;
}

export interface UdpHost {
  port: number;
  received: string[];
  from: RemoteInfo[];
  socket: UdpSocket;
  stop(): void;
}

/** A host of the application: `answers` gives what it sends back to each datagram. */
export async function startUdpHost(
  answers: (octets: Buffer) => Uint8Array[] = (octets) => [octets],
  address = '127.0.0.1',
): Promise<UdpHost> {
  const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 2 ** 20 });
  const host: UdpHost = { port: 0, received: [], from: [], socket, stop: () => socket.close() };
  socket.on('message', (octets, from) => {
    host.received.push(octets.toString());
    host.from.push(from);
    for (const answer of answers(octets)) socket.send(answer, from.port, from.address);
  });
  socket.bind(0, address);
  await once(socket, 'listening');
  host.port = (socket.address() as AddressInfo).port;
  return host;
}
