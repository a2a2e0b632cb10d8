import { createConnection, isIPv6, type Socket } from 'node:net';
import type { AllowedDestination } from './applications.ts';
import { BUFFER_OCTETS, KEEP_ALIVE_MS } from './listener.ts';

/** Sockets take the size of their buffers as every stream does, which their types do not say. */
const BUFFERS = { highWaterMark: BUFFER_OCTETS };
const SETTINGS = {
  ...BUFFERS,
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: KEEP_ALIVE_MS,
};
/** RFC 8305 (8): Connection Attempt Delay. */
const ATTEMPT_DELAY_MS = 250;

/**
 * Connects to one of the addresses, as RFC 8305 (Happy Eyeballs) has it: IPv6 and IPv4 take turns, beginning with the first
 * address's family; the next attempt starts after 250 ms or as soon as one fails, and the first to connect wins. Rejects with
 * the last failure when all have failed, and after `timeoutMs`.
 */
export function dial({ addresses, port }: AllowedDestination, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const waiting = alternateFamilies(addresses);
    const attempts = new Set<Socket>();
    let nextAttempt: NodeJS.Timeout | undefined;
    const deadline = setTimeout(() => end(null, new Error(`no connection within ${timeoutMs} ms`)), timeoutMs);

    function end(winner: Socket | null, failure?: unknown): void {
      clearTimeout(nextAttempt);
      clearTimeout(deadline);
      waiting.length = 0;
      for (const socket of attempts) if (socket !== winner) socket.destroy();
      if (winner === null) reject(failure);
      else resolve(winner);
    }

    function attempt(): void {
      clearTimeout(nextAttempt);
      const host = waiting.shift();
      if (host === undefined) return;
      const socket = createConnection({ host, port, ...SETTINGS });
      const fail = (error: Error) => {
        attempts.delete(socket);
        if (waiting.length > 0) attempt();
        else if (attempts.size === 0) end(null, error);
      };
      attempts.add(socket);
      socket.once('error', fail);
      socket.once('connect', () => {
        socket.off('error', fail);
        end(socket);
      });
      if (waiting.length > 0) nextAttempt = setTimeout(attempt, ATTEMPT_DELAY_MS);
    }

    if (waiting.length === 0) end(null, new Error('no address'));
    else attempt();
  });
}

function alternateFamilies(addresses: readonly string[]): string[] {
  const [first] = addresses;
  const isOfFirst = (address: string) => isIPv6(address) === isIPv6(first ?? '');
  const leading = addresses.filter(isOfFirst);
  const others = addresses.filter((address) => !isOfFirst(address));
  return Array.from({ length: Math.max(leading.length, others.length) }, (_, at) => [leading[at], others[at]])
    .flat()
    .filter((address) => address !== undefined);
}
