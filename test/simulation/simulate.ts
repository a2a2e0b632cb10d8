import { Random } from '../../src/generator/random.ts';
import { checkRun, type Finding } from './check-run.ts';
import { EngineSlot, type Place, type Sabotage } from './engine-slot.ts';
import { type FaultKind, Faults } from './faults.ts';
import { schedule } from './schedule.ts';
import { SimulatedGroup } from './simulated-group.ts';
import { SimulatedJournal } from './simulated-journal.ts';
import { SimulatedQuotaTopic } from './simulated-quota-topic.ts';
import { SimulatedTopic } from './simulated-topic.ts';
import { simulatedCatalogues } from './simulated-traffic.ts';
import { VirtualTime } from './virtual-time.ts';

const CATALOGUES = simulatedCatalogues();
const WITH_FURTHER_QUOTAS = simulatedCatalogues(true);
/** After this long without a change nothing is in progress. */
const QUIET_MS = 15_000;
const LIMITS = { ms: 600_000, events: 200_000 };

export interface SimulationResult {
  seed: number;
  findings: Finding[];
  faults: ReadonlyMap<FaultKind, number>;
  batches: number;
  records: number;
  events: number;
  virtualMs: number;
  /** Hash of all events in their order. */
  hash: number;
  trace: readonly string[];
}

/**
 * Runs one simulation, fully determined by its seed: real engines over a simulated journal, topic, group and quota topic,
 * with faults until some moment and none from then on. It ends when everything is booked and quiet, and is then checked.
 */
export async function simulate(seed: number, sabotage: Sabotage | null = null): Promise<SimulationResult> {
  const random = new Random(seed);
  const time = new VirtualTime();
  const faults = new Faults(random);
  const world = { time, random, faults };
  const findings: Finding[] = [];
  const catalogues = seed % 2 === 0 ? WITH_FURTHER_QUOTAS : CATALOGUES;
  let disturbedMs = 0;
  const topic = new SimulatedTopic('flow', random.integer(1, 3));
  const journal = new SimulatedJournal({
    guard: sabotage !== 'guard_off',
    token: sabotage !== 'token_off',
    deduplicationWindow: random.pick([4, 10_000]),
  });
  const place: Place = {
    world,
    topic,
    store: { journal, downUntilMs: 0 },
    group: new SimulatedGroup(world, topic.partitions),
    quotas: new SimulatedQuotaTopic({ fences: sabotage !== 'claims_off' }),
    catalogues,
    catalogue: catalogues[0],
    duplicateWindowRecords: random.pick([10, 1000]),
    quotaIntervalsMs: random.uniform() < 0.5 ? [0] : [0, 100, 1000, 5000],
    sabotage,
    onFault: (invariant, message) => findings.push({ invariant, message }),
    onDisturbance: () => {
      disturbedMs = time.nowMs;
    },
  };
  const slots = Array.from({ length: random.integer(1, 3) }, (_, at) => new EngineSlot(`engine${at + 1}`, place));
  for (const slot of slots) slot.start();
  const traffic = schedule(place, slots);
  const isBooked = () => faults.isCalm && traffic.isSent() && isAllBooked(place);
  const isQuiet = () => isBooked() && slots.every(({ isRunning }) => isRunning) && time.nowMs - disturbedMs > QUIET_MS;
  let ended = await time.runUntil(isQuiet, LIMITS);
  if (ended) {
    for (const slot of slots) slot.close();
    ended = await time.runUntil(() => slots.every(({ isRunning }) => !isRunning), LIMITS);
  }
  if (!ended) findings.push({ invariant: 'liveness', message: describeBacklog(place, slots, time) });
  findings.push(...(await checkRun(place)));
  return {
    seed,
    findings,
    faults: faults.counts,
    batches: journal.parts.length,
    records: [...topic.history.values()].reduce((sum, { length }) => sum + length, 0),
    events: time.events,
    virtualMs: time.nowMs,
    hash: time.hash,
    trace: time.trace,
  };
}

function isAllBooked({ topic, store }: Place): boolean {
  return partitionsOf(topic).every(({ log, last }) => last < 0 || store.journal.cursor(log).offset >= last);
}

function partitionsOf(topic: SimulatedTopic) {
  return Array.from({ length: topic.partitions }, (_, partition) => ({
    log: { topic: topic.bookedName, partition, lane: `${topic.name}-${partition}` },
    last: topic.lastRecordOffset(partition),
  }));
}

function describeBacklog({ topic, store }: Place, slots: readonly EngineSlot[], time: VirtualTime): string {
  const cursors = partitionsOf(topic).map(
    ({ log, last }) => `${log.topic}-${log.partition} is booked up to ${store.journal.cursor(log).offset} of ${last}`,
  );
  const running = slots.filter(({ isRunning }) => isRunning).length;
  return `after ${time.nowMs} ms and ${time.events} events ${running} of ${slots.length} engines run; ${cursors.join(', ')}`;
}
