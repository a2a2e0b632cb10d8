import { setTimeout as pause } from 'node:timers/promises';
import type { EngineSlot } from './engine-slot.ts';
import type { Failpoint } from './failpoints.ts';
import type { Fault } from './schedule.ts';
import { becomesTrue } from './wait.ts';
import type { World } from './world.ts';

const REACHED_WITHIN_MS = 30_000;
const START_AGAIN_MS = 200;
const REQUESTS_WITHIN_MS = 15_000;
const VISIT_MS = 1000;
const MERGED_WITHIN_MS = 2000;
/** Longer than the group's session time-out. */
const BEYOND_SESSION_MS = 1500;

/** How often the fault was applied, in words; it is done, and everything works again. */
export type FaultReport = string;

type FaultOf<K extends Fault['kind']> = Extract<Fault, { kind: K }>;

/** Applies the fault and ends it. `engine`: the affected engine, where it is a fault of one. */
export function applyFault(world: World, fault: Fault, engine: EngineSlot): Promise<FaultReport> {
  const { turns } = world;
  switch (fault.kind) {
    case 'failpoint':
      return turns.inTurn(engine.name, () => reachFailpoint(world, engine, fault.failpoint));
    case 'kill':
      return turns.inTurn(engine.name, () => kill(engine));
    case 'zombie':
      return turns.inTurn(engine.name, () => makeZombie(engine, fault));
    case 'restart':
      return turns.inTurn(engine.name, () => restart(engine));
    case 'broker_restart':
      return turns.inTurn('broker', () => restartBroker(world));
    case 'churn':
      return turns.inTurn('visitor', () => churn(world, fault));
    case 'store_down':
      return turns.inTurn('store', () => refuseStore([...world.engines, world.visitor], fault.downMs));
    case 'store_cut_off':
      return turns.inTurn('store', () => refuseStore([engine], fault.downMs));
    case 'store_killed':
      return turns.inTurn('store', () => killStore(world, fault));
    case 'disk_full':
      return turns.inTurn('store', () => fillDisk(world, fault));
    case 'requests':
      return faultRequests(engine, fault);
  }
}

async function reachFailpoint(world: World, engine: EngineSlot, failpoint: Failpoint): Promise<FaultReport> {
  const giveUpAtMs = performance.now() + REACHED_WITHIN_MS;
  while (performance.now() < giveUpAtMs) {
    await engine.stop();
    const started = await engine.start(failpoint);
    const isOver = () => started.isPaused || !started.isRunning;
    await becomesTrue(isOver, giveUpAtMs - performance.now());
    if (started.isPaused) {
      await pause(world.sessionTimeoutMs + BEYOND_SESSION_MS);
      started.signal('SIGCONT');
      return '1';
    }
    if (!started.isRunning && (await started.exited).signal === 'SIGKILL') return '1';
    // An overlapping fault ended it before it reached the failpoint.
    await pause(START_AGAIN_MS);
  }
  // The failpoint must not be reached later, after this wait.
  await restart(engine);
  return 'not reached';
}

/** Kills an engine; its place starts the next one by itself. */
async function kill(engine: EngineSlot): Promise<FaultReport> {
  const { process } = engine;
  if (process === null) return 'was down';
  process.signal('SIGKILL');
  await process.exited;
  return '1';
}

async function makeZombie(engine: EngineSlot, { pauseMs }: FaultOf<'zombie'>): Promise<FaultReport> {
  const { process } = engine;
  if (process === null) return 'was down';
  process.signal('SIGSTOP');
  await pause(pauseMs);
  process.signal('SIGCONT');
  return '1';
}

async function restart(engine: EngineSlot): Promise<FaultReport> {
  const code = await engine.stop();
  await engine.start();
  return code === 0 ? '1' : `ended with ${code ?? 'a signal'}`;
}

async function restartBroker({ broker }: World): Promise<FaultReport> {
  if (broker.kill === undefined || broker.restart === undefined) return 'not possible here: not our broker';
  await broker.kill();
  await broker.restart();
  return '1';
}

/** Joins and leaves every second, alternately with and without leaving the group properly. */
async function churn({ visitor }: World, { rounds }: FaultOf<'churn'>): Promise<FaultReport> {
  for (let round = 1; round <= rounds; round++) {
    await visitor.start();
    await becomesTrue(() => visitor.hasPartitions, 5000);
    await pause(VISIT_MS);
    if (round % 2 === 0) await visitor.kill();
    else await visitor.stop();
  }
  return String(rounds);
}

async function refuseStore(engines: readonly EngineSlot[], downMs: number): Promise<FaultReport> {
  await Promise.all(engines.map(({ proxy }) => proxy.refuse()));
  await pause(downMs);
  await Promise.all(engines.map(({ proxy }) => proxy.start()));
  return '1';
}

async function killStore({ store }: World, { downMs }: FaultOf<'store_killed'>): Promise<FaultReport> {
  await store.kill();
  await pause(downMs);
  await store.start();
  return '1';
}

async function fillDisk({ disk, store, watch }: World, { fullMs }: FaultOf<'disk_full'>): Promise<FaultReport> {
  if (disk.unavailableReason !== null) return disk.unavailableReason;
  const died = store.died;
  await disk.fill();
  // Space that merges free meanwhile is used up again, so that the disk stays full.
  for (const endAtMs = performance.now() + fullMs; performance.now() < endAtMs; ) {
    await pause(200);
    await disk.fill();
  }
  await disk.clear();
  await store.revive();
  // A merge that was running when space became free must have ended.
  await pause(MERGED_WITHIN_MS);
  if (await watch.isDamaged()) {
    // An operator's repair: the store still has the parts that the damaged one was merged from.
    await store.kill();
    await store.start();
    return '1 (store repaired)';
  }
  return store.died > died ? '1 (the store ended)' : '1';
}

async function faultRequests(
  { proxy }: EngineSlot,
  { fault, requests, times }: FaultOf<'requests'>,
): Promise<FaultReport> {
  const armed = proxy.arm(fault, requests, times);
  await becomesTrue(() => armed.left === 0, REQUESTS_WITHIN_MS);
  proxy.disarm(armed);
  // Until the last request is done.
  if (fault.kind === 'lands_late' || fault.kind === 'slow') await pause(fault.delayMs);
  if (fault.kind === 'answer_dropped') await pause(fault.hangMs);
  return String(times - armed.left);
}
