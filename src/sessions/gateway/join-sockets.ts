import type { Socket } from 'node:net';

/** Called with each segment before it is passed on. */
export interface SegmentObserver {
  uplink(segment: Buffer): void;
  downlink(segment: Buffer): void;
}

/**
 * Passes octets on in both directions and reports each once, when it is read. Who reads slowly slows the sender down, and an end of one direction is
 * passed on alone. Both sockets must have been made with `allowHalfOpen`. Resolves when both are closed.
 */
export async function joinSockets(terminal: Socket, remote: Socket, observer: SegmentObserver): Promise<void> {
  const closed = [terminal, remote].map((socket) => new Promise<void>((resolve) => socket.once('close', resolve)));
  passOn(terminal, remote, (segment) => observer.uplink(segment));
  passOn(remote, terminal, (segment) => observer.downlink(segment));
  terminal.resume();
  remote.resume();
  await Promise.all(closed);
}

function passOn(from: Socket, to: Socket, observe: (segment: Buffer) => void): void {
  let hasEnded = false;
  from.on('data', (chunk: Buffer) => {
    observe(chunk);
    if (!to.write(chunk)) from.pause();
  });
  to.on('drain', () => from.resume());
  from.on('end', () => {
    hasEnded = true;
    to.end();
  });
  // What broke on one side must not look like an end on the other.
  from.on('error', () => to.resetAndDestroy());
  from.on('close', () => {
    if (!hasEnded && !to.destroyed) to.resetAndDestroy();
  });
}
