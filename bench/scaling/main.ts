import { cpus } from 'node:os';
import { Command } from 'commander';
import { createKafka } from '../../src/platform/kafka/kafka.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { startKafka } from '../../test/servers/kafka-server.ts';
import { machine } from '../machine.ts';
import { figure, writeResults } from '../results.ts';
import { range, type Spread, spread } from '../spread.ts';
import { PARTITIONS, produceDataset } from '../throughput/dataset.ts';
import { runScaled, type Scaled } from './run.ts';

const SIDES = [1, 2];
const print = (text: string) => process.stdout.write(`${text}\n`);

const program = new Command('bench:scaling')
  .description('Reads one topic with one engine, and with two of one group, over the same kind of store')
  .option('--records <n>', 'records of the topic', '2000000')
  .option('--subscribers <n>', 'subscribers that they are of', '100000')
  .option('--rounds <n>', 'how often each side reads it', '3')
  .option('--seed <n>', 'draws the records', '1')
  .option('--out <folder>', 'where the results go', packagePath('bench/results'));

type Options = Record<'records' | 'subscribers' | 'rounds' | 'seed' | 'out', string>;

interface Results {
  machine: string;
  records: number;
  subscribers: number;
  /** Rounds of one engine, and of two. */
  sides: { engines: number; rounds: Scaled[] }[];
  /** How many times as fast two are as one, round by round. */
  ratio: Spread;
}

async function main(options: Options): Promise<void> {
  const [records, subscribers, rounds, seed] = [options.records, options.subscribers, options.rounds, options.seed].map(
    Number,
  );
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
    const sides = SIDES.map((engines) => ({ engines, rounds: [] as Scaled[] }));
    for (let round = 0; round < rounds; round++) {
      // By turns: rounds share a machine's moods.
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
        const { engines } = side;
        const group = `bench-scaling-${engines}-${round}`;
        const scaled = await runScaled({ kafka, broker: broker.brokers[0], admin, engines, group, records });
        side.rounds.push(scaled);
        print(`round ${round + 1}  ${engines} engines  ${figure(scaled.recordsPerSecond)} records/s`);
      }
    }
    const [one, two] = sides;
    const ratio = spread(
      two.rounds.map(({ recordsPerSecond }, round) => recordsPerSecond / one.rounds[round].recordsPerSecond),
    );
    const results: Results = { machine: machine(), records, subscribers, sides, ratio };
    await writeResults(options.out, 'scaling', results, markdown(results));
  } finally {
    await admin.disconnect();
    await broker.stop();
  }
}

function markdown({ machine, records, subscribers, sides, ratio }: Results): string {
  const rows = sides.map(({ engines, rounds }) => {
    const perSecond = (value: (round: Scaled) => number) =>
      range(spread(rounds.map((round) => value(round) / round.seconds)), 2);
    const cells = [
      engines,
      range(spread(rounds.map(({ recordsPerSecond }) => recordsPerSecond))),
      perSecond(({ engineSeconds }) => engineSeconds),
      perSecond(({ storeSeconds }) => storeSeconds),
      perSecond(({ busySeconds }) => busySeconds),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return `# One engine and two

${machine}; ${figure(records)} records of ${figure(subscribers)} subscribers in ${PARTITIONS} partitions, ${sides[0].rounds.length} rounds each: \
median (least to most). The store is ClickHouse behind HTTP in a process of its own, new for each round; broker, store and \
engines share the machine's ${cpus().length} cores. Cores are those that were busy on average.

| engines | records/s | cores of the engines | cores of the store | cores of everything |
|--:|--:|--:|--:|--:|
${rows.join('\n')}

Two engines are ${range(ratio, 2)} times as fast as one. Where the last column is near ${cpus().length}, the machine has nothing left \
to give a second engine, and the ratio says what two processes cost on it, not what they bring where each has cores of its own.`;
}

await main(program.parse().opts<Options>());
