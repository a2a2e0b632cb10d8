/** What a store is filled with: one lane, whose subscribers have a counter of each plan. */
export interface BenchLane {
  counters: number;
  /** Plans that each subscriber is charged under. */
  plans: number;
  /** Charged records of each counter. */
  charges: number;
}

export const LANE = 'flows-0';
/** As the engine's default: records of a batch, and identities that a lane remembers. */
export const BATCH_RECORDS = 100_000;
export const WINDOW_RECORDS = 1_000_000;
export const OCTETS_PER_CHARGE = 3000;
export const NODES = 1000;

export function laneOf(args: readonly string[]): BenchLane {
  const [counters, plans, charges] = args.map(Number);
  return { counters, plans, charges };
}
