import type { EngineSlot, Place } from './engine-slot.ts';
import type { TimedFault } from './faults.ts';
import type { SimulatedJournal } from './simulated-journal.ts';
import { SimulatedTraffic } from './simulated-traffic.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const RETRY_MS = 500;
/** The months of late records, by their first days. */
const CLOSED_MONTHS = [Date.UTC(2026, 9) / DAY_MS, Date.UTC(2026, 10) / DAY_MS];
/** A recreated topic has lost at least so many booked records: a shorter one could not be distinguished from the old one. */
const LEAST_BOOKED = 6;

/** Schedules the external events of a run: records arrive, and faults come until the calm. */
export function schedule(place: Place, slots: readonly EngineSlot[]): { isSent: () => boolean } {
  const { world, store, topic } = place;
  const { random, time, faults } = world;
  const faultsEndMs = random.integer(5000, 25_000);
  scheduleFaults(place, slots);
  if (random.uniform() < 0.25) scheduleLosses(place, faultsEndMs);
  time.after(faultsEndMs, null, 'calm', () => {
    faults.calm();
    store.downUntilMs = 0;
    for (const slot of slots) slot.thaw();
    place.onDisturbance();
  });
  const waiting = Array.from({ length: topic.partitions }, (_, partition) =>
    scheduleRecords(place, partition, faultsEndMs),
  );
  return { isSent: () => waiting.every((left) => left() === 0) };
}

function scheduleRecords(place: Place, partition: number, untilMs: number): () => number {
  const { topic } = place;
  const { random, time } = place.world;
  const hasAccounts = place.catalogues.some(({ furtherQuotas }) => furtherQuotas.some(({ per }) => per === 'account'));
  const traffic = new SimulatedTraffic(random, partition, hasAccounts);
  const records = random.integer(0, 70);
  let left = records;
  const send = () => {
    const hole = random.uniform() < 0.1 ? random.integer(1, 3) : 0;
    if (!mayGrow(place, partition, hole + 1)) {
      time.after(RETRY_MS, null, `record for ${partition} waits`, send);
      return;
    }
    topic.append(partition, traffic.next(), hole);
    if (random.uniform() < 0.05 && mayGrow(place, partition, 1)) topic.appendHole(partition, 1);
    left--;
  };
  for (let record = 0; record < records; record++) {
    const atMs = record < records * 0.3 ? 0 : random.integer(0, untilMs);
    time.after(atMs, null, `record for ${partition}`, send);
  }
  return () => left;
}

/** Returns whether a log may grow: a recreated topic must be seen to be shorter than the old one before it grows past it. */
function mayGrow({ topic, store }: Place, partition: number, offsets: number): boolean {
  const lane = `${topic.name}-${partition}`;
  const head = store.journal.head(lane);
  if (topic.incarnation === 1 || head.topic === topic.bookedName) return true;
  const end = topic.bounds().get(partition)?.endOffset ?? 0;
  return end + offsets <= store.journal.cursor({ topic: head.topic, partition, lane }).offset;
}

function scheduleFaults(place: Place, slots: readonly EngineSlot[]): void {
  const { group, store } = place;
  const { random, time, faults } = place.world;
  const strike: Record<TimedFault, () => void> = {
    rebalance: () => group.rebalance(),
    eviction: () => {
      const { process } = random.pick(slots);
      if (process !== null) group.evict(process);
    },
    kill: () => random.pick(slots).process?.crash(),
    freeze: () => random.pick(slots).freeze(random.integer(100, 9000)),
    clock_step: () => random.pick(slots).process?.clock.step(random.integer(-20 * DAY_MS, 20 * DAY_MS)),
    store_down: () => {
      store.downUntilMs = time.nowMs + random.integer(100, 9000);
    },
    suspension: () => {
      const sponsorId = random.pick(['acme', 'bolt']);
      store.journal.suspensionFacts.push({ sponsorId, suspended: random.uniform() < 0.5 });
    },
    closing: () => closeNextMonth(store.journal, random.pick(['acme', 'bolt']), time.nowMs),
    catalogue_change: () => {
      place.catalogue = random.pick(place.catalogues);
      for (const slot of slots) slot.reload();
    },
    graceful_stop: () => random.pick(slots).stop(),
  };
  for (const kind of Object.keys(strike) as TimedFault[]) {
    const next = () => {
      const delayMs = faults.nextMs(kind);
      if (delayMs === null) return;
      time.after(delayMs, null, kind, () => {
        if (faults.isCalm) return;
        faults.count(kind);
        strike[kind]();
        next();
      });
    };
    next();
  }
}

/** Closes the next month: months are closed in order, and once. */
function closeNextMonth({ closingFacts }: SimulatedJournal, sponsorId: string, endedByMs: number): void {
  const closed = closingFacts.filter((closing) => closing.sponsorId === sponsorId).length;
  if (closed < CLOSED_MONTHS.length) closingFacts.push({ sponsorId, month: CLOSED_MONTHS[closed], endedByMs });
}

/** Schedules retention that is faster than the engines, and a topic that is deleted and recreated. */
function scheduleLosses(place: Place, untilMs: number): void {
  const { topic, store } = place;
  const { random, time, faults } = place.world;
  const cursorOf = (partition: number) =>
    store.journal.cursor({ topic: topic.bookedName, partition, lane: `${topic.name}-${partition}` }).offset;
  const retain = () => {
    const partition = random.integer(0, topic.partitions - 1);
    const cursor = cursorOf(partition);
    const end = topic.bounds().get(partition)?.endOffset ?? 0;
    if (cursor < 0 || end <= cursor + 1) return;
    faults.count('retention');
    topic.retain(partition, random.integer(cursor + 2, end));
  };
  const recreate = () => {
    const cursors = Array.from({ length: topic.partitions }, (_, partition) => cursorOf(partition));
    if (cursors.some((cursor) => cursor < LEAST_BOOKED)) return;
    faults.count('topic_recreated');
    topic.recreate();
  };
  for (let loss = random.integer(1, 4); loss > 0; loss--) {
    time.after(random.integer(1000, untilMs), null, 'retention', retain);
  }
  if (random.uniform() < 0.5) time.after(random.integer(2000, untilMs), null, 'topic is recreated', recreate);
}
