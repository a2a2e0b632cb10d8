import { setTimeout as pause } from 'node:timers/promises';
import { nameOf, type ScheduledFault } from './schedule.ts';
import { strike } from './strike.ts';
import { becomesTrue } from './wait.ts';
import type { World } from './world.ts';

const WORKS_AGAIN_WITHIN_MS = 90_000;

/** What one fault did. Faults that overlap share batches, fenced writes and ends. */
export interface FaultRow {
  number: number;
  /** Seconds since the first one. */
  atS: number;
  engine: string;
  fault: string;
  times: string;
  /** Batches booked and writes fenced off from its beginning until the engines worked again. */
  batches: number;
  fenced: number;
  /** Engines that ended though nobody asked them. */
  died: number;
  /** What is broken since; empty when the invariants hold. */
  broken: string[];
}

/** Does the faults in their order. `onRow` hears of each when it is over; resolves when all are, or a control is caught. */
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

/** Resolves with the partitions of which nothing more was booked in good time; records come for all of them, always. */
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
  const times = await strike(world, scheduled.fault, engine);
  const broken: string[] = [];
  const stalled = await awaitProgress(world);
  if (stalled.length > 0) {
    broken.push(`liveness: ${WORKS_AGAIN_WITHIN_MS / 1000} s after it was over partitions ${stalled} still stand`);
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
