import { randomInt } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { request } from 'undici';
import { Random } from '../../src/generator/random.ts';
import { Cleanups } from '../../src/platform/cleanups.ts';
import { ATTACKS } from './hostile-attacks.ts';
import { HonestTerminal } from './hostile-terminal.ts';
import { type HostileWorld, startHostileWorld } from './hostile-world.ts';

const MIB = 2 ** 20;
const MINUTE_MS = 60_000;
/** The last quarter may take so much more memory than the second, in proportion and beside it: what a collector lets lie. */
const GROWTH = 1.25;
const GROWTH_OCTETS = 24 * MIB;
const SAMPLES = 60;
const ATTACKERS = 16;
const TRANSFER_EVERY_MS = 1500;
const MOST_TRANSFER_OCTETS = 200_000;

export interface HostileOptions {
  minutes: number;
  seed?: number;
  print?: (line: string) => void;
}

interface Sample {
  atMs: number;
  rssOctets: number;
  delayMs: number;
}

type ProcessName = 'dispatch' | 'proxy';

/** Runs the traffic; resolves with what is not as it should be, a line each. */
export async function runHostile(options: HostileOptions): Promise<string[]> {
  const { minutes, seed = randomInt(2 ** 31), print = (line) => process.stdout.write(`${line}\n`) } = options;
  print(`seed ${seed}, ${minutes} min`);
  const endings = new Cleanups();
  try {
    const world = await startHostileWorld(endings);
    return await attack(world, { minutes, seed, print });
  } finally {
    await endings.run(false);
  }
}

async function attack(world: HostileWorld, { minutes, seed, print }: Required<HostileOptions>): Promise<string[]> {
  const endAtMs = performance.now() + minutes * MINUTE_MS;
  const isOver = () => performance.now() >= endAtMs;
  const done = new Map<string, number>(ATTACKS.map(({ name }) => [name, 0]));
  const random = new Random(seed);
  const attackers = Array.from({ length: ATTACKERS }, async () => {
    const own = new Random(random.uint32());
    while (!isOver()) {
      const { name, run } = ATTACKS[own.integer(0, ATTACKS.length - 1)];
      // One that is refused is what should be; it is counted all the same.
      await run(world, own).catch(() => {});
      done.set(name, (done.get(name) ?? 0) + 1);
      await pause(own.integer(0, 100));
    }
  });
  const terminal = new HonestTerminal(world);
  const honest = useService(terminal, new Random(random.uint32()), isOver);
  const samples = { dispatch: [] as Sample[], proxy: [] as Sample[] };
  await watch(world, samples, { intervalMs: Math.min(10_000, (minutes * MINUTE_MS) / SAMPLES), isOver, print });
  await Promise.all([...attackers, honest]);
  const reported = await terminal.reported();
  for (const [name, times] of done) print(`${String(times).padStart(8)}  ${name}`);
  const { attempts, successes, octets } = terminal;
  print(`honest terminal: ${successes} of ${attempts} transfers, ${octets} octets, ${reported} reported`);
  return [...growth(samples, print), ...honestFaults(terminal, reported), ...(await status(world))];
}

async function useService(terminal: HonestTerminal, random: Random, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await terminal.transfer(random.integer(1, MOST_TRANSFER_OCTETS));
    await pause(TRANSFER_EVERY_MS);
  }
}

async function watch(
  world: HostileWorld,
  samples: Record<ProcessName, Sample[]>,
  { intervalMs, isOver, print }: { intervalMs: number; isOver: () => boolean; print: (line: string) => void },
): Promise<void> {
  const startMs = performance.now();
  let printed = 0;
  print('minute   dispatch RSS  delay     proxy RSS  delay   (MiB, longest delay of the event loop in ms)');
  while (!isOver()) {
    await pause(intervalMs);
    for (const name of ['dispatch', 'proxy'] as const) samples[name].push(await sampleOf(world, name));
    const minute = Math.floor((performance.now() - startMs) / MINUTE_MS);
    if (minute <= printed && !isOver()) continue;
    const cells = (['dispatch', 'proxy'] as const).flatMap((name) => {
      const own = samples[name].filter(({ atMs }) => atMs >= startMs + printed * MINUTE_MS);
      const delay = Math.max(...own.map(({ delayMs }) => delayMs));
      return [mib(own.at(-1)?.rssOctets ?? 0).padStart(14), delay.toFixed(0).padStart(7)];
    });
    printed = minute;
    print(`${String(Math.max(1, minute)).padStart(6)}${cells.join('')}`);
  }
}

async function sampleOf(world: HostileWorld, name: ProcessName): Promise<Sample> {
  const port = name === 'dispatch' ? world.dispatchPort : world.ports.control;
  const secret = name === 'dispatch' ? world.operatorSecret : world.proxySecret;
  const headers = { authorization: `Bearer ${secret}` };
  const atMs = performance.now();
  const { body } = await request(`http://127.0.0.1:${port}/metrics`, { headers });
  const text = await body.text();
  const metric = (of: string) => Number(new RegExp(`^${of} (\\S+)$`, 'm').exec(text)?.[1]);
  const rssOctets = metric('process_resident_memory_bytes');
  return { atMs, rssOctets, delayMs: metric('nodejs_eventloop_lag_max_seconds') * 1000 };
}

/** The resident memory of the last quarter beside that of the second: the first one warms up. */
function growth(samples: Record<ProcessName, Sample[]>, print: (line: string) => void): string[] {
  return (['dispatch', 'proxy'] as const).flatMap((name) => {
    const own = samples[name].map(({ rssOctets }) => rssOctets);
    const quarter = Math.floor(own.length / 4);
    const [second, last] = [mean(own.slice(quarter, 2 * quarter)), mean(own.slice(-quarter))];
    const isBounded = last <= second * GROWTH + GROWTH_OCTETS;
    print(
      `${name}: RSS ${mib(second)} MiB in the second quarter, ${mib(last)} in the last: ${isBounded ? 'bounded' : 'GROWING'}`,
    );
    return isBounded ? [] : [`${name}: memory grows from ${mib(second)} to ${mib(last)} MiB`];
  });
}

function honestFaults({ attempts, successes, octets, failures }: HonestTerminal, reported: number): string[] {
  const faults: string[] = [];
  if (attempts === 0) faults.push('the honest terminal made no transfer');
  if (successes < attempts)
    faults.push(`the honest terminal: ${attempts - successes} of ${attempts} transfers failed: ${failures[0]}`);
  // A transfer that failed has octets that only the proxy counted.
  if (reported < octets || (successes === attempts && reported !== octets)) {
    faults.push(`the honest terminal sent and received ${octets} octets, and ${reported} were reported`);
  }
  return faults;
}

/** Both have to answer still. */
async function status(world: HostileWorld): Promise<string[]> {
  const urls = { dispatch: world.dispatchPort, proxy: world.ports.control };
  const faults = await Promise.all(
    Object.entries(urls).map(async ([name, port]) => {
      const answer = await request(`http://127.0.0.1:${port}/health/live`).catch(() => null);
      await answer?.body.dump();
      return answer?.statusCode === 200 ? [] : [`${name}: does not answer any more`];
    }),
  );
  return faults.flat();
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

function mib(octets: number): string {
  return (octets / MIB).toFixed(1);
}
