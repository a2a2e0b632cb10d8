import type { Socket } from 'node:net';

const VERSION = 5;
const USER_PASSWORD = 2;
const NO_METHOD = 0xff;
const CONNECT = 1;

/** Answers to a request (RFC 1928, 6). */
export const SOCKS_REPLY = {
  succeeded: 0,
  general_failure: 1,
  not_allowed: 2,
  network_unreachable: 3,
  host_unreachable: 4,
  connection_refused: 5,
  command_not_supported: 7,
} as const;
export type SocksReply = keyof typeof SOCKS_REPLY;

export interface SocksDestination {
  host: string;
  port: number;
}

/**
 * Reads a terminal's greeting and its user (RFC 1928 and 1929), which must be one that `isUser` knows. Null when it is
 * turned away, or has gone.
 */
export async function readSocksUser(socket: Socket, isUser: (user: string) => boolean): Promise<string | null> {
  const [version, count] = (await readOctets(socket, 2)) ?? [];
  const methods = version === VERSION && count !== undefined ? await readOctets(socket, count) : null;
  if (methods === null) return null;
  if (!methods.includes(USER_PASSWORD)) {
    socket.write(Buffer.of(VERSION, NO_METHOD));
    return null;
  }
  socket.write(Buffer.of(VERSION, USER_PASSWORD));
  const [, userLength] = (await readOctets(socket, 2)) ?? [];
  const user = userLength === undefined ? null : await readText(socket, userLength);
  const [passwordLength] = (await readOctets(socket, 1)) ?? [];
  if (user === null || passwordLength === undefined || (await readText(socket, passwordLength)) === null) return null;
  const isKnown = isUser(user);
  socket.write(Buffer.of(1, isKnown ? 0 : 1));
  return isKnown ? user : null;
}

/** Reads where it wants to go. Null when it wants anything but a TCP connection, or has gone. */
export async function readSocksDestination(socket: Socket): Promise<SocksDestination | null> {
  const [version, command, , kind] = (await readOctets(socket, 4)) ?? [];
  if (version !== VERSION || kind === undefined) return null;
  const host = await readHost(socket, kind);
  const port = await readOctets(socket, 2);
  if (command !== CONNECT) {
    writeSocksReply(socket, 'command_not_supported');
    return null;
  }
  return host === null || port === null ? null : { host, port: port.readUInt16BE(0) };
}

export function writeSocksReply(socket: Socket, reply: SocksReply): void {
  // Nobody needs the address that the connection has; it is all zero.
  socket.write(Buffer.of(VERSION, SOCKS_REPLY[reply], 0, 1, 0, 0, 0, 0, 0, 0));
}

async function readHost(socket: Socket, kind: number): Promise<string | null> {
  if (kind === 1) return (await readOctets(socket, 4))?.join('.') ?? null;
  if (kind === 3) {
    const [length] = (await readOctets(socket, 1)) ?? [];
    return length === undefined ? null : readText(socket, length);
  }
  const octets = kind === 4 ? await readOctets(socket, 16) : null;
  return octets === null ? null : (octets.toString('hex').match(/.{4}/g) ?? []).join(':');
}

async function readText(socket: Socket, length: number): Promise<string | null> {
  return (await readOctets(socket, length))?.toString('utf8') ?? null;
}

/** Exactly so many octets, and not one more. Null when the socket ends before. */
async function readOctets(socket: Socket, count: number): Promise<Buffer | null> {
  if (count === 0) return Buffer.alloc(0);
  for (;;) {
    const octets: Buffer | null = socket.read(count);
    // At its end a stream hands out what is left, however little.
    if (octets !== null) return octets.length === count ? octets : null;
    if (socket.readableEnded || socket.destroyed) return null;
    await new Promise<void>((resolve) => {
      const events = ['readable', 'end', 'close'] as const;
      const settle = () => {
        for (const event of events) socket.off(event, settle);
        resolve();
      };
      for (const event of events) socket.on(event, settle);
    });
  }
}
