import type { EventEmitter } from 'node:events';

/** Resolves at the close of what is not closed yet. An error comes before it: `once` of node:events would reject with that. */
export function untilClosed(closing: EventEmitter): Promise<void> {
  return new Promise((resolve) => closing.once('close', () => resolve()));
}
