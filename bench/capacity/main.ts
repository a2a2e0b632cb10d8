import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { packagePath } from '../../src/platform/package-paths.ts';
import { figure, writeResults } from '../results.ts';
import { type Assumptions, capacityFor, costOfAMillion, type Measured } from './capacity.ts';
import { type DiskFigures, measureDisk } from './disk.ts';

const RATES = [10_000, 1_000_000, 10_000_000];
const ASSUMED: Assumptions = {
  utilisation: 0.5,
  coresOfAMachine: 16,
  recordsOfABatch: 100_000,
  secondsOfABatch: 0.5,
  replicas: 3,
  monthsKept: 13,
  pricesOf: '2026-11-25',
  usdPerCoreHour: 0.04,
  usdPerGibMonth: 0.1,
};

const program = new Command('bench:capacity')
  .description('What rates of records take, from what the other benchmarks measured and what a journal takes on disk')
  .option('--records <n>', 'records that the journal is measured with', '1000000')
  .option('--seed <n>', 'draws them', '1')
  .option('--out <folder>', 'where the results go', packagePath('bench/results'));

type Options = Record<'records' | 'seed' | 'out', string>;

async function main({ records, seed, out }: Options): Promise<void> {
  const disk = await measureDisk(Number(records), Number(seed));
  const measured = measuredFrom(disk);
  const capacities = RATES.map((rate) => capacityFor(rate, measured, ASSUMED));
  const cost = costOfAMillion(measured, ASSUMED);
  const cells = (name: string, of: (capacity: (typeof capacities)[number]) => string) =>
    `| ${name} | ${capacities.map(of).join(' | ')} |`;
  const markdown = [
    cells('records a second', ({ recordsPerSecond }) => figure(recordsPerSecond)),
    '|---|--:|--:|--:|',
    cells('partitions, at least', ({ partitions }) => figure(partitions)),
    cells('cores of engines', ({ engineCores }) => figure(engineCores, 1)),
    cells('cores of ClickHouse, all copies', ({ storeCores }) => figure(storeCores, 1)),
    cells('cores of Kafka, all copies', ({ brokerCores }) => figure(brokerCores, 1)),
    cells(`machines of ${ASSUMED.coresOfAMachine} cores`, ({ machines }) => figure(machines)),
    cells('inserts a second', ({ insertsPerSecond }) => figure(insertsPerSecond, 1)),
    cells('journal, GiB a day, all copies', ({ journalGibPerDay }) => figure(journalGibPerDay, 1)),
    cells('topic, MiB a second, one copy', ({ topicMibPerSecond }) => figure(topicMibPerSecond, 1)),
    '',
    `A million records cost ${figure(cost.cores, 4)} USD of cores and ${figure(cost.disk, 4)} USD of disk.`,
  ].join('\n');
  await writeResults(out, 'capacity', { disk, measured, assumed: ASSUMED, capacities, cost }, markdown);
}

/** From the newest results of the other benchmarks: the median round of one engine over a ClickHouse server. */
function measuredFrom({ records, journalRows, journalOctets, sourceOctets }: DiskFigures): Measured {
  const scaling = resultsOf('scaling');
  const isOne = ({ engines, threads = 1 }: { engines: number; threads?: number }) => engines === 1 && threads === 1;
  const rounds: ScalingRound[] = scaling.sides.find(isOne).rounds;
  const round = rounds.toSorted((a, b) => a.recordsPerSecond - b.recordsPerSecond)[Math.floor(rounds.length / 2)];
  const { engineSeconds, storeSeconds, busySeconds, recordsPerSecond } = round;
  const recovery = resultsOf('recovery').results.toSorted(
    (a: { counters: number }, b: { counters: number }) => b.counters - a.counters,
  )[0];
  const [{ beforeOctets, afterOctets }] = recovery.rounds;
  return {
    engineCoreSeconds: engineSeconds / scaling.records,
    storeCoreSeconds: storeSeconds / scaling.records,
    brokerCoreSeconds: (busySeconds - engineSeconds - storeSeconds) / scaling.records,
    recordsPerSecondOfAnEngine: recordsPerSecond,
    journalOctets: journalOctets / journalRows,
    recordOctets: sourceOctets / records,
    rowsPerRecord: journalRows / records,
    counterOctets: (afterOctets - beforeOctets) / recovery.counters,
  };
}

interface ScalingRound {
  engineSeconds: number;
  storeSeconds: number;
  busySeconds: number;
  recordsPerSecond: number;
}

function resultsOf(name: string) {
  return JSON.parse(readFileSync(packagePath(`bench/results/${name}.json`), 'utf8'));
}

await main(program.parse().opts<Options>());
