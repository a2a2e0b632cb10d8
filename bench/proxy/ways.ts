import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { socks5Password } from '../../src/sessions/protocol/relay-message.ts';
import type { Granted } from '../../src/sessions/proxy/fake-dispatch.fixture.ts';
import { basic, openTunnel } from '../../src/sessions/proxy/proxy.fixture.ts';

const ANSWER_OCTETS = 2 + 2 + 10;

/** How a client gets to a port of this machine. */
export type Way = (port: number) => Promise<Socket>;

export function bare(relayPort: number): Way {
  return async () => {
    const socket = connect({ port: relayPort, host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    return socket;
  };
}

export function byConnect(url: string, granted: Granted): Way {
  return async (port) => {
    const { status, socket } = await openTunnel(url, `localhost:${port}`, { authorization: basic(granted) });
    if (status !== 200) throw new Error(`the proxy answered ${status}`);
    return socket;
  };
}

export function bySocks5(url: string, { terms: { tokenId, sessionKey } }: Granted): Way {
  const text = (value: string) => [value.length, ...Buffer.from(value)];
  const password = socks5Password(Buffer.from(sessionKey, 'base64url'), tokenId);
  return async (port) => {
    const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true });
    socket.write(Buffer.from([5, 1, 2, 1, ...text(tokenId), ...text(password)]));
    socket.write(Buffer.from([5, 1, 0, 3, ...text('localhost'), port >> 8, port & 0xff]));
    // Method, sign-in, reply.
    let answer = Buffer.alloc(0);
    while (answer.length < ANSWER_OCTETS) {
      await once(socket, 'readable');
      answer = Buffer.concat([answer, socket.read() ?? Buffer.alloc(0)]);
    }
    if (answer.length > ANSWER_OCTETS) socket.unshift(answer.subarray(ANSWER_OCTETS));
    if (answer[3] !== 0 || answer[5] !== 0) throw new Error(`the proxy answered ${answer.toString('hex')}`);
    return socket;
  };
}
