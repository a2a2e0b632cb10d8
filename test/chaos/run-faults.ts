import { setTimeout as pause } from 'node:timers/promises';
import { applyFault } from './apply-fault.ts';
import { nameOf, type ScheduledFault } from './schedule.ts';
import { becomesTrue } from './wait.ts';
import type { World } from './world.ts';

const WORKS_AGAIN_WITHIN_MS = 90_000;

/** The effects of one fault. Overlapping faults share batches, fenced writes and ends. */
export interface FaultRow {
  number: number;
  /** Seconds since the first one. */
  atS: number;
  engine: string;
  fault: string;
  times: string;
  /** Batches booked and writes fenced from its beginning until the engines worked again. */
  batches: number;
  fenced: number;
  /** Engines that ended unexpectedly. */
  died: number;
  /** Violations since; empty when the invariants hold. */
  broken: string[];
}

/** Applies the faults in order. `onRow` is called when each is done; resolves when all are, or a control is detected. */
export async function runFaults(
  world: World,
  schedule: readonly ScheduledFault[],
  options: { onRow: (row: FaultRow) => void; endsAtFirstBreak: boolean },
): Promise<FaultRow[]> {
  const startedAtMs = performance.now();
  const rows: FaultRow[] = [];
  let underWay: Promise<void>[] = [];
  for (const scheduled of schedule) {
    if (!scheduled.overlaps) {
      await Promise.all(underWay);
      underWay = [];
    }
    if (options.endsAtFirstBreak && rows.some(({ broken }) => broken.length > 0)) break;
    await pause(scheduled.afterMs);
    const atS = (performance.now() - startedAtMs) / 1000;
    underWay.push(
      runFault(world, scheduled, atS).then((row) => {
        rows.push(row);
        options.onRow(row);
      }),
    );
  }
  await Promise.all(underWay);
  return rows;
}

/** Resolves with the stalled partitions, in which nothing was booked in time; all of them get records all the time. */
async function awaitProgress({ watch }: World): Promise<number[]> {
  const cursors = new Map((await watch.lanes()).map(({ partition, cursor }) => [partition, cursor]));
  let stalled: number[] = [];
  const everyPartitionMoves = async () => {
    const lanes = await watch.lanes();
    stalled = lanes
      .filter(({ partition, cursor }) => cursor <= (cursors.get(partition) ?? -1))
      .map((lane) => lane.partition);
    return stalled.length === 0;
  };
  await becomesTrue(everyPartitionMoves, WORKS_AGAIN_WITHIN_MS);
  return stalled;
}

async function runFault(world: World, scheduled: ScheduledFault, atS: number): Promise<FaultRow> {
  const before = world.counts();
  const engine = world.engines[scheduled.engine];
  const times = await applyFault(world, scheduled.fault, engine);
  const broken: string[] = [];
  const stalled = await awaitProgress(world);
  if (stalled.length > 0) {
    broken.push(`liveness: ${WORKS_AGAIN_WITHIN_MS / 1000} s after the fault partitions ${stalled} are still stalled`);
  }
  broken.push(...(await world.watch.newBreaks()));
  const after = world.counts();
  return {
    number: scheduled.number,
    atS,
    engine: engine.name,
    fault: nameOf(scheduled.fault),
    times,
    batches: after.booked - before.booked,
    fenced: after.fenced - before.fenced,
    died: after.died - before.died,
    broken,
  };
}
