import { Random } from '../../src/generator/random.ts';
import { FAILPOINTS, type Failpoint } from './failpoints.ts';
import type { ProxyFault, RequestKind } from './fault-proxy.ts';

/** A fault of everything, or of one engine. */
export type Fault =
  | { kind: 'failpoint'; failpoint: Failpoint }
  | { kind: 'kill' }
  | { kind: 'zombie'; pauseMs: number }
  | { kind: 'restart' }
  | { kind: 'broker_restart' }
  | { kind: 'churn'; rounds: number }
  | { kind: 'store_down'; downMs: number }
  /** The store refuses only this engine. */
  | { kind: 'store_cut_off'; downMs: number }
  | { kind: 'store_killed'; downMs: number }
  | { kind: 'disk_full'; fullMs: number }
  | { kind: 'requests'; fault: ProxyFault; requests: RequestKind; times: number };

export interface ScheduledFault {
  /** From 1. */
  number: number;
  fault: Fault;
  /** Index of the engine that the fault applies to. */
  engine: number;
  /** Begins before the previous fault has ended. */
  overlaps: boolean;
  /** Milliseconds of work between the previous fault and this one. */
  afterMs: number;
}

export interface ScheduleOptions {
  seed: number;
  faults: number;
  engines: number;
  /** The group takes an engine for dead after so long a silence. */
  sessionTimeoutMs: number;
  /** `cheap`: without faults of many seconds. `races`: only faults that make two writers meet. */
  mix: 'all' | 'cheap' | 'races';
}

type Draw = (random: Random, sessionTimeoutMs: number) => Fault;

const requests =
  (make: (random: Random) => ProxyFault, kind: RequestKind, most: number): Draw =>
  (random) => ({ kind: 'requests', fault: make(random), requests: kind, times: random.integer(1, most) });

const failpoint =
  (name: Failpoint['name'], action: Failpoint['action']): Draw =>
  (random) => ({ kind: 'failpoint', failpoint: { name, action, time: random.integer(1, isRare(name) ? 1 : 4) } });

/** Returns whether an engine reaches it once or twice for each assigned partition, not for each batch. */
function isRare(name: Failpoint['name']): boolean {
  return /claim|head|counters|seen|cursor/.test(name);
}

const zombie: Draw = (random, sessionTimeoutMs) => ({
  kind: 'zombie',
  pauseMs: sessionTimeoutMs + random.integer(500, 2500),
});
const churn: Draw = (random) => ({ kind: 'churn', rounds: random.integer(2, 3) });
const landsLate = requests((random) => ({ kind: 'lands_late', delayMs: random.integer(200, 4000) }), 'insert', 3);
const landsWithNext = requests(() => ({ kind: 'lands_with_next' }), 'insert', 3);

const KILLED = FAILPOINTS.map((name) => failpoint(name, 'kill'));
const STOPPED = FAILPOINTS.map((name) => failpoint(name, 'stop'));

const OF_REQUESTS: readonly Draw[] = [
  requests((random) => ({ kind: 'slow', delayMs: random.integer(300, 3000) }), 'any', 5),
  requests(() => ({ kind: 'reset_in_body' }), 'insert', 3),
  requests(() => ({ kind: 'truncated_body' }), 'insert', 3),
  requests((random) => ({ kind: 'answer_dropped', hangMs: random.pick([0, 0, 1000, 4000]) }), 'insert', 3),
  requests((random) => ({ kind: 'answer_dropped', hangMs: random.pick([0, 500]) }), 'any', 4),
  requests(() => ({ kind: 'reset_in_answer' }), 'any', 4),
  landsLate,
  landsWithNext,
];

const QUICK: readonly Draw[] = [
  ...OF_REQUESTS,
  () => ({ kind: 'kill' }),
  () => ({ kind: 'restart' }),
  (random) => ({ kind: 'store_down', downMs: random.integer(300, 3000) }),
  (random) => ({ kind: 'store_cut_off', downMs: random.integer(500, 5000) }),
  (random) => ({ kind: 'store_killed', downMs: random.integer(0, 2000) }),
];

const DISK_FULL: Draw = (random) => ({ kind: 'disk_full', fullMs: random.integer(1000, 4000) });
const BROKER_RESTART: Draw = () => ({ kind: 'broker_restart' });

const MIXES: Readonly<Record<ScheduleOptions['mix'], readonly Draw[]>> = {
  all: [...KILLED, ...STOPPED, ...QUICK, zombie, zombie, churn, DISK_FULL, BROKER_RESTART],
  cheap: [...KILLED.filter((_, index) => index % 2 === 0), ...QUICK, zombie],
  races: [landsLate, landsWithNext, landsWithNext, zombie, churn],
};

/** Share of faults that begin before the previous one has ended. */
const OVERLAPS: Readonly<Record<ScheduleOptions['mix'], number>> = { all: 0.3, cheap: 0.5, races: 0.3 };

/**
 * Returns the faults of a seed: the same seed and count give the same faults. With as many faults as kinds, every kind
 * comes.
 */
export function drawSchedule({ seed, faults, engines, sessionTimeoutMs, mix }: ScheduleOptions): ScheduledFault[] {
  const random = new Random(seed);
  const draws = MIXES[mix];
  let round: Draw[] = [];
  return Array.from({ length: faults }, (_, index) => {
    if (round.length === 0) round = shuffled(draws, random);
    const fault = (round.pop() as Draw)(random, sessionTimeoutMs);
    return {
      number: index + 1,
      fault,
      engine: random.integer(0, engines - 1),
      overlaps: index > 0 && random.uniform() < OVERLAPS[mix],
      afterMs: random.integer(0, 400),
    };
  });
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const all = [...items];
  for (let last = all.length - 1; last > 0; last--) {
    const other = random.integer(0, last);
    [all[last], all[other]] = [all[other], all[last]];
  }
  return all;
}

/** Returns a fault as one line of a table. */
export function nameOf(fault: Fault): string {
  switch (fault.kind) {
    case 'failpoint': {
      const { name, time, action } = fault.failpoint;
      return `${action} ${name} #${time}`;
    }
    case 'kill':
      return 'kill -9';
    case 'zombie':
      return `zombie after ${fault.pauseMs} ms`;
    case 'restart':
      return 'SIGTERM and start';
    case 'broker_restart':
      return 'broker killed and restarted';
    case 'churn':
      return `engine joins and leaves x${fault.rounds}`;
    case 'store_down':
      return `store refuses ${fault.downMs} ms`;
    case 'store_cut_off':
      return `store refuses it ${fault.downMs} ms`;
    case 'store_killed':
      return `store killed, away ${fault.downMs} ms`;
    case 'disk_full':
      return `disk full ${fault.fullMs} ms`;
    case 'requests':
      return `${fault.fault.kind} (${fault.requests}) x${fault.times}`;
  }
}
