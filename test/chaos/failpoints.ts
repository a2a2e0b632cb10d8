import type { DecorateParts, EngineParts } from '../../src/engine/running/assemble-engine.ts';

/** The points where an engine can be stopped: before or after a call of one of its ports. */
export const FAILPOINTS = [
  'before_insert',
  'after_insert',
  'before_digest_at',
  'after_digest_at',
  'before_publish',
  'after_publish',
  'before_claim',
  'after_claim',
  'before_head',
  'before_counters',
  'before_seen',
  'before_cursor',
  'before_acknowledge',
] as const;
type FailpointName = (typeof FAILPOINTS)[number];

/** `kill`: SIGKILL of itself. `stop`: SIGSTOP of itself; a SIGCONT makes it a zombie. */
type FailpointAction = 'kill' | 'stop';

export interface Failpoint {
  name: FailpointName;
  /** Which time it is reached, from 1. */
  time: number;
  action: FailpointAction;
}

/** Returns `name:time:action`, such as `after_insert:3:kill`. */
export function formatFailpoint({ name, time, action }: Failpoint): string {
  return `${name}:${time}:${action}`;
}

/** Throws when the text is no failpoint. */
export function parseFailpoint(text: string): Failpoint {
  const [name = '', time = '', action = ''] = text.split(':');
  const isKnown = (FAILPOINTS as readonly string[]).includes(name) && /^[1-9]\d*$/.test(time);
  if (!isKnown || (action !== 'kill' && action !== 'stop')) {
    throw new RangeError(`"${text}" is no failpoint; expected name:time:kill or name:time:stop`);
  }
  return { name: name as FailpointName, time: Number(time), action };
}

/**
 * Returns the failpoint's ports. No call of this thread follows its own signal, so no port sees a call that a failpoint
 * stopped.
 */
export function failpointOf(text: string | undefined): DecorateParts {
  if (text === undefined || text === '') return (parts) => parts;
  const failpoint = parseFailpoint(text);
  return (parts) => withFailpoint(parts, failpoint, (signal) => process.kill(process.pid, signal));
}

/** Returns the ports with a failpoint: at its time it ends or pauses this process, before the call continues. */
export function withFailpoint(
  parts: EngineParts,
  failpoint: Failpoint,
  signal: (name: 'SIGKILL' | 'SIGSTOP') => void,
): EngineParts {
  let left = failpoint.time;
  const reach = (point: string) => {
    if (point !== failpoint.name || --left !== 0) return;
    signal(failpoint.action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
  };
  return {
    ...parts,
    journal: decoratePort(parts.journal, reach),
    publisher: decoratePort(parts.publisher, reach),
    source: decoratePort(parts.source, reach),
  };
}

function decoratePort<T extends object>(port: T, reach: (point: string) => void): T {
  return new Proxy(port, {
    get(target, key) {
      const method: unknown = Reflect.get(target, key, target);
      if (typeof method !== 'function' || typeof key !== 'string') return method;
      const point = key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      return (...values: unknown[]) => {
        reach(`before_${point}`);
        // The target and not the proxy: only the object itself has access to its private fields.
        const result: unknown = method.apply(target, values);
        if (!(result instanceof Promise)) return result;
        // After a failure too: an insert whose acknowledgement was lost may have landed.
        return result.finally(() => reach(`after_${point}`));
      };
    },
  });
}
