import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { packagePath } from '../../src/platform/package-paths.ts';
import { script, startChild } from '../child.ts';
import { machine } from '../machine.ts';
import { figure, writeResults } from '../results.ts';
import { range, spread } from '../spread.ts';
import type { BenchLane } from './lane.ts';
import type { Recovered } from './recover.ts';

interface Result extends BenchLane {
  rounds: Recovered[];
}

const print = (text: string) => process.stdout.write(`${text}\n`);
const MIB = 2 ** 20;

const program = new Command('bench:recovery')
  .description('Fills embedded stores with open counters, and recovers each in a new process')
  .option('--counters <list>', 'open counters of the lane', '10000,1000000,10000000')
  .option('--plans <n>', 'plans that each subscriber is charged under', '1')
  .option('--charges <n>', 'charged records of each counter', '1')
  .option('--rounds <n>', 'recoveries of each store', '3')
  .option('--out <folder>', 'where the results go', packagePath('bench/results'));

async function main(options: Record<'counters' | 'plans' | 'charges' | 'rounds' | 'out', string>): Promise<void> {
  const [plans, charges, rounds] = [options.plans, options.charges, options.rounds].map(Number);
  const results: Result[] = [];
  for (const counters of options.counters.split(',').map(Number)) {
    const directory = await mkdtemp(join(tmpdir(), 'zerorate-bench-recovery-'));
    const args = [directory, ...[counters, plans, charges].map(String)];
    try {
      print(`filling a store with ${figure(counters)} open counters`);
      await outputOf('fill.ts', args);
      const result: Result = { counters, plans, charges, rounds: [] };
      results.push(result);
      for (let round = 1; round <= rounds; round++) {
        const recovered: Recovered = JSON.parse(await outputOf('recover.ts', args));
        result.rounds.push(recovered);
        print(`round ${round}  ${figure(recovered.seconds, 2)} s`);
      }
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }
  const measuredOn = machine();
  const what =
    `${measuredOn}; a lane of an embedded store, ${plans} plans a subscriber, ${charges} charged records a counter, ` +
    `recovered in a new process, ${rounds} times: median (least to most). Memory is what is resident of the process, ` +
    "ClickHouse's included, over the same process before. The store's files are in the page cache.";
  await writeResults(
    options.out,
    'recovery',
    { machine: measuredOn, results },
    `# Recovery\n\n${what}\n\n${table(results)}`,
  );
}

/** The last line that a script beside this one prints. */
async function outputOf(file: string, args: readonly string[]): Promise<string> {
  let last = '';
  const child = startChild(file, script(new URL(file, import.meta.url), args), (line) => {
    last = line;
  });
  await child.ended;
  return last;
}

function table(results: readonly Result[]): string {
  const lines = results.map(({ counters, rounds }) => {
    const of = (value: (round: Recovered) => number, digits = 0) => range(spread(rounds.map(value)), digits);
    const cells = [
      figure(counters),
      figure(rounds[0].identities),
      of(({ seconds }) => seconds, 2),
      of((round) => round.cpuSeconds, 2),
      of(({ beforeOctets }) => beforeOctets / MIB),
      of(({ beforeOctets, afterOctets }) => (afterOctets - beforeOctets) / MIB),
      of(({ beforeOctets, peakOctets }) => (peakOctets - beforeOctets) / MIB),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| open counters | identities | seconds | CPU s | before, MiB | over it after, MiB | over it at its peak, MiB |',
    '|--:|--:|--:|--:|--:|--:|--:|',
    ...lines,
  ].join('\n');
}

await main(program.parse().opts());
