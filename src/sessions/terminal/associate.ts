import type { Socket } from 'node:net';
import { socks5Address } from '../../platform/network/socks5.ts';
import { DialError, readFromSocket, type TerminalDestination } from './terminal-dial.ts';

/** By the code of a SOCKS5 reply (RFC 1928, 6): why there is no association. */
const REFUSALS: Readonly<Record<number, string>> = {
  1: 'too_many_connections',
  2: 'cap_reached',
  4: 'upstream_failed',
};

/**
 * Asks for a UDP association (RFC 1928) as a user with a password (RFC 1929). Returns where datagrams are to be sent; a refusal is a value.
 * Rejects with a DialError when the connection breaks.
 */
export async function associate(
  socket: Socket,
  { user, password }: { user: string; password: string },
): Promise<{ relay: TerminalDestination } | { refusal: string }> {
  socket.write(Buffer.of(5, 1, 2));
  if ((await readFromSocket(socket, 2))[1] !== 2) return { refusal: 'token_missing' };
  const [name, secret] = [Buffer.from(user), Buffer.from(password)];
  socket.write(Buffer.concat([Buffer.of(1, name.length), name, Buffer.of(secret.length), secret]));
  if ((await readFromSocket(socket, 2))[1] !== 0) return { refusal: 'token_invalid' };
  // Its own address is unknown to a terminal behind a gateway.
  socket.write(Buffer.concat([Buffer.of(5, 3, 0), socks5Address({ host: '0.0.0.0', port: 0 })]));
  const [, reply, , kind] = await readFromSocket(socket, 4);
  if (kind !== 1 && kind !== 4) throw new DialError('turned_away', `no address (kind ${kind}) in the reply`);
  const address = await readFromSocket(socket, kind === 1 ? 6 : 18);
  if (reply !== 0) return { refusal: REFUSALS[reply] ?? `socks5_reply_${reply}` };
  return { relay: { host: hostOf(address.subarray(0, -2)), port: address.readUInt16BE(address.length - 2) } };
}

function hostOf(address: Buffer): string {
  if (address.length === 4) return address.join('.');
  const groups = Array.from({ length: 8 }, (_, group) => address.readUInt16BE(group * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
