import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface TerminalDestination {
  host: string;
  port: number;
}

/** A connection, with the octets that passed on it since it reached its destination (payload of TCP, TLS included). */
export interface Dialled {
  socket: Socket;
  octets(): { uplinkOctets: number; downlinkOctets: number };
}

/** How a terminal gets a connection. Rejects with a DialError. */
export type Dial = (destination: TerminalDestination) => Promise<Dialled>;

export class DialError extends Error {
  readonly code: 'unreachable' | 'turned_away';
  readonly canRetry = true;

  constructor(code: DialError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'DialError';
    this.code = code;
  }
}

const CONNECT_WITHIN_MS = 10_000;

/** Straight to the destination. */
export const directDial: Dial = async (destination) => countedFromNow(await connected(destination));

/**
 * Through a gateway's SOCKS5 (RFC 1928 and 1929), the bearer being the user. What was said to the gateway itself does not count.
 */
export function socksDial(gateway: TerminalDestination, bearerId: string): Dial {
  return async (destination) => {
    const socket = await connected(gateway);
    try {
      await askThrough(socket, bearerId, destination);
      return countedFromNow(socket);
    } catch (error) {
      socket.destroy();
      throw error;
    }
  };
}

async function connected({ host, port }: TerminalDestination): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true });
  const given = setTimeout(() => socket.destroy(new Error('no answer')), CONNECT_WITHIN_MS);
  try {
    await once(socket, 'connect');
    return socket;
  } catch (cause) {
    throw new DialError('unreachable', `${host}:${port} cannot be reached: ${(cause as Error).message}`, cause);
  } finally {
    clearTimeout(given);
  }
}

/** Nothing that was received is unread: the gateway sends nothing of the destination's before its reply, which is read whole. */
function countedFromNow(socket: Socket): Dialled {
  const read = socket.bytesRead - socket.readableLength;
  const written = socket.bytesWritten;
  const octets = () => ({ uplinkOctets: socket.bytesWritten - written, downlinkOctets: socket.bytesRead - read });
  return { socket, octets };
}

async function askThrough(socket: Socket, bearerId: string, { host, port }: TerminalDestination): Promise<void> {
  socket.write(Buffer.of(5, 1, 2));
  if ((await readFromSocket(socket, 2))[1] !== 2) throw turnedAway('it does not take bearers');
  const user = Buffer.from(bearerId);
  socket.write(Buffer.concat([Buffer.of(1, user.length), user, Buffer.of(1), Buffer.from('-')]));
  if ((await readFromSocket(socket, 2))[1] !== 0) throw turnedAway('the bearer is not known');
  const name = Buffer.from(host);
  const portOctets = Buffer.of(port >> 8, port & 255);
  socket.write(Buffer.concat([Buffer.of(5, 1, 0, 3, name.length), name, portOctets]));
  const [, reply, , kind] = await readFromSocket(socket, 4);
  if (reply !== 0) throw turnedAway(`${host}:${port} cannot be reached (reply ${reply})`);
  const addressOctets = kind === 4 ? 16 : kind === 1 ? 4 : (await readFromSocket(socket, 1))[0];
  await readFromSocket(socket, addressOctets + 2);
}

function turnedAway(why: string): DialError {
  return new DialError('turned_away', `the gateway says: ${why}`);
}

/** Reads so many octets, no more. Rejects with a DialError when the connection ends or breaks before. */
export async function readFromSocket(socket: Socket, count: number): Promise<Buffer> {
  for (;;) {
    const octets: Buffer | null = socket.read(count);
    if (octets !== null && octets.length === count) return octets;
    if (octets !== null || socket.readableEnded || socket.destroyed) throw turnedAway('nothing more');
    // Those of the events that do not come are not waited for any longer: a listener of each would be left on the socket.
    const waiting = new AbortController();
    const events = ['readable', 'end', 'close'].map((event) => once(socket, event, { signal: waiting.signal }));
    const broken: unknown = await Promise.race(events)
      .then(
        () => null,
        (cause) => cause,
      )
      .finally(() => waiting.abort());
    await Promise.allSettled(events);
    if (broken !== null) throw new DialError('unreachable', `the connection broke off: ${String(broken)}`, broken);
  }
}
