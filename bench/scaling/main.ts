import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { Command } from 'commander';
import { createKafka } from '../../src/platform/kafka/kafka.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { startKafka } from '../../test/servers/kafka-server.ts';
import { machine } from '../machine.ts';
import { figure, writeResults } from '../results.ts';
import { range, type Spread, spread } from '../spread.ts';
import { PARTITIONS, produceDataset } from '../throughput/dataset.ts';
import { runScaled, type Scaled, type ScalingSide } from './run.ts';

const SIDES: readonly ScalingSide[] = [
  { engines: 1, threads: 1 },
  { engines: 2, threads: 1 },
  { engines: 1, threads: 2 },
];
/** With fewer, broker, store and engines cannot have cores of their own. */
const LEAST_CORES_TO_PIN = 6;
const print = (text: string) => process.stdout.write(`${text}\n`);

const program = new Command('bench:scaling')
  .description(
    'Reads one topic with one engine, with two processes of one group, and with one process of two threads, over the same kind of store',
  )
  .option('--records <n>', 'records of the topic', '2000000')
  .option('--subscribers <n>', 'subscribers that they are of', '100000')
  .option('--rounds <n>', 'how often each side reads it', '3')
  .option('--seed <n>', 'draws the records', '1')
  .option('--out <folder>', 'where the results go', packagePath('bench/results'));

type Options = Record<'records' | 'subscribers' | 'rounds' | 'seed' | 'out', string>;

interface MeasuredSide extends ScalingSide {
  rounds: Scaled[];
}

interface Results {
  machine: string;
  records: number;
  subscribers: number;
  /** Cores that the engines alone had; null: all parts shared all cores. */
  engineCores: string | null;
  sides: MeasuredSide[];
  /** How many times as fast two processes are as one, round by round, and two threads as one. */
  ratio: Spread;
  threadRatio: Spread;
}

async function main(options: Options): Promise<void> {
  const [records, subscribers, rounds, seed] = [options.records, options.subscribers, options.rounds, options.seed].map(
    Number,
  );
  const cores = pinnedCores();
  // Broker and store inherit the cores of this process.
  if (cores !== null) execFileSync('taskset', ['-apc', cores.others, String(process.pid)], { stdio: 'ignore' });
  // Time for the second engine to come before the first one gets partitions that it would have to give back.
  const broker = await startKafka({
    isForLoad: true,
    properties: { 'log.retention.hours': '-1', 'group.initial.rebalance.delay.ms': '5000' },
  });
  const kafka = createKafka({ brokers: broker.brokers, clientId: 'bench' });
  const admin = kafka.admin();
  try {
    await admin.connect();
    print(`producing ${figure(records)} records`);
    await produceDataset(kafka, { seed, records, subscribers, onProgress: () => {} });
    const sides = SIDES.map((side) => ({ ...side, rounds: [] as Scaled[] }));
    const engineCores = cores?.engines ?? null;
    for (let round = 0; round < rounds; round++) {
      // By turns: rounds share a machine's moods.
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
        const group = `bench-scaling-${side.engines}-${side.threads}-${round}`;
        const shared = { kafka, broker: broker.brokers[0], admin, cores: engineCores };
        const scaled = await runScaled({ ...shared, side, group, records });
        side.rounds.push(scaled);
        print(`round ${round + 1}  ${nameOf(side)}  ${figure(scaled.recordsPerSecond)} records/s`);
      }
    }
    const [one, processes, threads] = sides;
    const ratio = ratioOf(processes, one);
    const results = { machine: machine(), records, subscribers, engineCores, sides, ratio };
    const whole: Results = { ...results, threadRatio: ratioOf(threads, one) };
    await writeResults(options.out, 'scaling', whole, markdown(whole));
  } finally {
    await admin.disconnect();
    await broker.stop();
  }
}

/** Two cores for the engines, the others for everything else; null where there are too few, or no `taskset`. */
function pinnedCores(): { engines: string; others: string } | null {
  const count = cpus().length;
  if (process.platform !== 'linux' || count < LEAST_CORES_TO_PIN) return null;
  return { engines: `${count - 2},${count - 1}`, others: `0-${count - 3}` };
}

function nameOf({ engines, threads }: ScalingSide): string {
  return `${engines === 1 ? '1 process' : `${engines} processes`} of ${threads === 1 ? '1 thread' : `${threads} threads`}`;
}

function ratioOf(side: MeasuredSide, one: MeasuredSide): Spread {
  return spread(
    side.rounds.map(({ recordsPerSecond }, round) => recordsPerSecond / one.rounds[round].recordsPerSecond),
  );
}

function markdown({ machine, records, subscribers, engineCores, sides, ratio, threadRatio }: Results): string {
  const rows = sides.map(({ engines, threads, rounds }) => {
    const perSecond = (value: (round: Scaled) => number) =>
      range(spread(rounds.map((round) => value(round) / round.seconds)), 2);
    const cells = [
      engines,
      threads,
      range(spread(rounds.map(({ recordsPerSecond }) => recordsPerSecond))),
      perSecond(({ engineSeconds }) => engineSeconds),
      perSecond(({ storeSeconds }) => storeSeconds),
      perSecond(({ busySeconds }) => busySeconds),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const count = cpus().length;
  const sharing =
    engineCores === null
      ? `broker, store and engines share the machine's ${count} cores`
      : `engines have the cores ${engineCores} of ${count} for themselves, broker and store the others`;
  const limits =
    engineCores === null
      ? `Where the last column is near ${count}, the machine has nothing left to give a second engine, and the ratios say what two \
processes or threads cost on it, not what they bring where each has cores of its own. With ${LEAST_CORES_TO_PIN} cores or more the engines are given two of them (\`taskset\`).`
      : 'Beside its own thread each engine has one that publishes quota updates: two engines on two cores share them.';
  return `# One engine, two processes, two threads

${machine}; ${figure(records)} records of ${figure(subscribers)} subscribers in ${PARTITIONS} partitions, ${sides[0].rounds.length} rounds each: \
median (least to most). The store is ClickHouse behind HTTP in a process of its own, new for each round; ${sharing}. \
Cores are those that were busy on average.

| processes | threads of each | records/s | cores of the engines | cores of the store | cores of everything |
|--:|--:|--:|--:|--:|--:|
${rows.join('\n')}

Two processes are ${range(ratio, 2)} times as fast as one, and two threads of one process ${range(threadRatio, 2)} times. ${limits}`;
}

await main(program.parse().opts<Options>());
