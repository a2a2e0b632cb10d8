import { setTimeout as pause } from 'node:timers/promises';
import type { Admin } from 'kafkajs';

const LOOK_EVERY_MS = 20;

/** Seen from outside, in the same way for everyone: the group is stable, and has so many members. Resolves with `performance.now()`. */
export async function untilAssigned(admin: Admin, group: string, members = 1): Promise<number> {
  for (;;) {
    const { groups } = await admin.describeGroups([group]);
    if (groups[0].state === 'Stable' && groups[0].members.length >= members) return performance.now();
    await pause(LOOK_EVERY_MS);
  }
}
