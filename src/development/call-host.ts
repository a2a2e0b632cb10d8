import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** An application's media host for calls: sends each datagram back. */
export class CallHost {
  #socket: Socket | null = null;
  readonly counts = { datagrams: 0, octets: 0 };

  /** Listens at the UDP port, or at a free one, and resolves with it. */
  async start(host: string, port = 0): Promise<number> {
    const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 2 ** 20 });
    socket.on('message', (octets, { address, port: from }) => {
      this.counts.datagrams++;
      this.counts.octets += octets.length;
      socket.send(octets, from, address, () => {});
    });
    socket.bind(port, host);
    await once(socket, 'listening');
    this.#socket = socket;
    return socket.address().port;
  }

  async stop(): Promise<void> {
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    socket.close();
    await once(socket, 'close');
  }
}
