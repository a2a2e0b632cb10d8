import type { Accepted } from './listener.ts';

/** What a terminal still sends while it is being closed is read away, so that it is metered and its end is not a reset. */
export const LINGER_OCTETS = 256 * 1024;
export const LINGER_MS = 2000;

/** Ends this side once what was written has been sent, and all of it once the other side ends too, or has had its time. */
export function lingeringEnd({ raw, stream }: Accepted): void {
  const readBefore = raw.bytesRead;
  const timer = setTimeout(() => raw.destroy(), LINGER_MS);
  raw.once('close', () => clearTimeout(timer));
  stream.on('data', () => {
    if (raw.bytesRead - readBefore > LINGER_OCTETS) raw.destroy();
  });
  stream.resume();
  if (!stream.writableEnded) stream.end();
}
