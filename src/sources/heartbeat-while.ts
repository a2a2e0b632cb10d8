import { settlesWithin } from './settles-within.ts';

export interface HeartbeatOptions {
  /** kafkajs's own: asks the broker only when a heartbeat is due. */
  heartbeat: () => Promise<void>;
  /** How often it is called. */
  everyMs: number;
  /** Whether a heartbeat's error means that waiting has become pointless. */
  isFatal: (error: unknown) => boolean;
  /** Asked at every beat: true ends the waiting. */
  isAbandoned: () => boolean;
}

/**
 * Waits for work that may take longer than the group's session. Resolves when the work is done or abandoned; rejects with
 * the work's error or a heartbeat's fatal one. The work goes on, whatever is thrown here.
 */
export async function heartbeatWhile(work: Promise<unknown>, options: HeartbeatOptions): Promise<void> {
  const { heartbeat, everyMs, isFatal, isAbandoned } = options;
  while (!(await settlesWithin(work, everyMs))) {
    if (isAbandoned()) return;
    try {
      await heartbeat();
    } catch (error) {
      // A broker that did not answer may answer the next beat; whether the session is lost only a broker can say.
      if (isFatal(error)) throw error;
    }
  }
}
