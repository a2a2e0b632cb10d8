import { Command } from 'commander';
import { bench, group, run } from 'mitata';
import { packagePath } from '../../src/platform/package-paths.ts';
import { machine } from '../machine.ts';
import { writeResults } from '../results.ts';
import { coreCases, growthCases, type MicroCase } from './core-cases.ts';
import { insertCases } from './insert-cases.ts';
import { type MicroFigure, microTable } from './report.ts';
import { RECORDS } from './samples.ts';

const options = new Command('bench:micro')
  .description('Measures the steps of the engine one by one, in nanoseconds a record')
  .option('--seed <n>', 'draws the records', '1')
  .option('--prefixes <numbers>', 'how many prefixes to classify by', '10,10000,1000000')
  .option('--sponsors <numbers>', 'how many sponsors to classify by', '10,1000,100000')
  .option('--out <folder>', 'where the results go', packagePath('bench/results'))
  .parse()
  .opts<{ seed: string; prefixes: string; sponsors: string; out: string }>();

const seed = Number(options.seed);
const cases = [
  ...coreCases(seed),
  ...growthCases(seed, numbers(options.prefixes), numbers(options.sponsors)),
  ...(await insertCases()),
];
for (const [name, members] of byGroup(cases)) {
  group(name, () => {
    for (const { name, run } of members) bench(name, run).gc('inner');
  });
}
const { benchmarks } = await run();
const figures: MicroFigure[] = benchmarks.map(({ runs: [{ stats, error }] }, index) => {
  if (stats === undefined) throw error;
  const { group, name, records = RECORDS } = cases[index];
  return { group, name, nanosPerRecord: stats.p50 / records, least: stats.min / records };
});
const about = `${machine()}; batches of ${RECORDS} records, seed ${seed}`;
await writeResults(
  options.out,
  'micro',
  { machine: machine(), records: RECORDS, seed, figures },
  microTable(figures, about),
);
// The embedded store keeps the process from its end.
process.exit(0);

function numbers(list: string): number[] {
  return list.split(',').map(Number);
}

function byGroup(all: readonly MicroCase[]): Map<string, MicroCase[]> {
  const groups = new Map<string, MicroCase[]>();
  for (const one of all) groups.set(one.group, [...(groups.get(one.group) ?? []), one]);
  return groups;
}
