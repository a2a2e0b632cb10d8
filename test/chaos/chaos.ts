import { randomInt } from 'node:crypto';
import { grouped } from '../../src/platform/telemetry/terminal-output.ts';
import { type Control, SHORT_TOKEN_WINDOW, withoutGuard } from './control.ts';
import { audit, awaitAllBooked, stopEngines } from './finish.ts';
import { printHead, printRow } from './print-rows.ts';
import { type FaultRow, runFaults } from './run-faults.ts';
import { drawSchedule } from './schedule.ts';
import { becomesTrue } from './wait.ts';
import { createWorld, type World } from './world.ts';

const ENGINES = 3;
const FIRST_BATCH_WITHIN_MS = 60_000;
const AUDIT_BROKEN = 'audit: an invariant is broken';
const AUDIT_FAILED = 'audit: it could not run';

export interface ChaosOptions {
  faults?: number;
  seed?: number;
  short?: boolean;
  control?: Control;
  keep?: boolean;
}

/** Runs all faults and the audit. Resolves with the exit code. */
export async function runChaos(options: ChaosOptions): Promise<number> {
  const { seed = randomInt(2 ** 32), control } = options;
  const startedAtMs = performance.now();
  const { ready, end } = createWorld({
    seed,
    engines: ENGINES,
    ...(control !== undefined && { rewriteInsert: withoutGuard(control) }),
  });
  const forget = endOnSignal(end);
  let isBroken = true;
  try {
    print(`seed ${seed}${control === undefined ? '' : `, without the ${control}`}`);
    const world = await ready;
    print(`logs in ${world.folder}`);
    const found = await runSeed(world, options, seed);
    isBroken = found.length > 0;
    printTotals(world, startedAtMs, seed);
    return verdict(found, control);
  } finally {
    forget();
    const keep = options.keep === true || (isBroken && control === undefined);
    await end({ keep });
    if (keep) await ready.then(printLeftovers, () => undefined);
  }
}

/** Runs one seed. Resolves with all violations. */
async function runSeed(world: World, options: ChaosOptions, seed: number): Promise<string[]> {
  const { short = false, control } = options;
  const { faults = control !== undefined ? 40 : short ? 15 : 200 } = options;
  const mix = control !== undefined ? 'races' : short ? 'cheap' : 'all';
  const schedule = drawSchedule({ seed, faults, engines: ENGINES, sessionTimeoutMs: world.sessionTimeoutMs, mix });

  await beginTraffic(world);
  if (control === 'guard') await world.watch.command(SHORT_TOKEN_WINDOW);
  printHead();
  const endsAtFirstBreak = control !== undefined;
  const rows = await runFaults(world, schedule, { onRow: printRow, endsAtFirstBreak });
  printSums(rows);
  const found = rows.flatMap(({ number, broken }) => broken.map((text) => `fault ${number}: ${text}`));
  // A broken journal need not be booked to its end.
  if (!endsAtFirstBreak || found.length === 0) found.push(...(await awaitAllBooked(world)));
  found.push(...(await stopEngines(world)));
  await world.traffic.close();

  const { result, output } = await audit(world);
  print(`\n${output}`);
  if (result !== 'holds') found.push(result === 'broken' ? AUDIT_BROKEN : AUDIT_FAILED);
  return found;
}

async function beginTraffic({ engines, traffic, counts, watch }: World): Promise<void> {
  // One after the other: the first one creates the tables.
  await engines[0].start();
  traffic.start();
  if (!(await becomesTrue(() => counts().booked > 0, FIRST_BATCH_WITHIN_MS))) {
    throw new Error('nothing was booked even before the first fault');
  }
  for (const engine of engines.slice(1)) await engine.start();
  await becomesTrue(() => engines.every(({ counts }) => counts.booked > 0), FIRST_BATCH_WITHIN_MS);
  // The parts merged in eight minutes do not fit on a small disk; an operator repairs a damaged part, here that takes
  // seconds.
  await watch.command('ALTER TABLE journal MODIFY SETTING old_parts_lifetime = 60');
}

/** Returns the exit code. With a control a violation is expected, and the audit must detect it. */
function verdict(found: readonly string[], control: Control | undefined): number {
  for (const text of found) print(`BROKEN  ${text}`);
  if (control === undefined) {
    print(found.length === 0 ? 'All invariants hold.' : 'Something is broken.');
    return found.length === 0 ? 0 : 1;
  }
  const isCaught = found.includes(AUDIT_BROKEN);
  if (found.includes(AUDIT_FAILED)) print('The audit could not run.');
  else
    print(
      isCaught
        ? `The invariants detected that the ${control} was off.`
        : `The invariants did NOT detect that the ${control} was off: they, or these faults, prove nothing.`,
    );
  return isCaught ? 0 : 1;
}

function printSums(rows: readonly FaultRow[]): void {
  const missed = rows.filter(({ times }) => !/^[1-9]/.test(times));
  print(`\n${rows.length} faults, of which ${missed.length} could not be done or were not reached`);
}

function printTotals(world: World, startedAtMs: number, seed: number): void {
  const { booked, fenced, died } = world.counts();
  const { records, aborted, retries } = world.traffic.counts;
  const peak = Math.max(...[...world.engines, world.visitor].map(({ peakRssOctets }) => peakRssOctets));
  print(
    `\n${grouped(records)} records sent, ${grouped(aborted)} more aborted, ${retries} sends repeated\n` +
      `${grouped(booked)} batches booked, ${fenced} writes fenced, ${died} engines ended unexpectedly, ` +
      `the store ended unexpectedly ${world.store.died} times\n` +
      `peak memory of an engine ${Math.round(peak / 2 ** 20)} MiB, ` +
      `${Math.round((performance.now() - startedAtMs) / 1000)} s, seed ${seed}`,
  );
}

function printLeftovers({ folder, disk }: World): void {
  const remedy = disk.unavailableReason === null ? `; before deleting it: umount ${disk.path}` : '';
  print(`logs and data stay in ${folder}${remedy}`);
}

/** Ends all processes on a signal. */
function endOnSignal(end: World['end']): () => void {
  let asked = false;
  const handle = (signal: NodeJS.Signals) => {
    if (asked) return;
    asked = true;
    print(`${signal}: ending everything`);
    void end({ keep: false }).finally(() => process.exit(signal === 'SIGINT' ? 130 : 143));
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  return () => {
    process.off('SIGINT', handle);
    process.off('SIGTERM', handle);
  };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
