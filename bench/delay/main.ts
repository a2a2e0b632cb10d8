import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { kafkaJars } from '../../src/development/servers/kafka-broker.ts';
import { createKafka } from '../../src/platform/kafka/kafka.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { startKafka } from '../../test/servers/kafka-server.ts';
import { machine } from '../machine.ts';
import { figure, writeResults } from '../results.ts';
import { createTopics, datasetOptions, TOPIC } from '../throughput/dataset.ts';
import {
  type Done,
  delaysOf,
  meanStages,
  type Percentiles,
  percentiles,
  STAGES,
  type Stages,
  sumStages,
} from './delays.ts';
import { writeRecordFile } from './record-file.ts';
import { runPaced } from './run.ts';
import { stagesChart } from './stages-chart.ts';

const GROUP = 'bench-delay';
const DEFAULT_RATE = 100_000;

const program = new Command('bench:delay')
  .description('Sends records at a fixed rate, and reports how long each takes until it is booked and announced')
  .option('--rate <n>', 'records a second; by default half of what bench/results/throughput.json says')
  .option('--seconds <n>', 'how long, after the warm-up', '30')
  .option('--warm-up <n>', 'seconds that do not count', '10')
  .option('--subscribers <n>', 'subscribers that the records are of', '100000')
  .option('--max-delay-ms <n>', 'batch.maxDelayMs of the engine', '100')
  .option('--seed <n>', 'draws the records', '1')
  .option('--out <folder>', 'where the results go', packagePath('bench/results'));

type Options = Record<'seconds' | 'warmUp' | 'subscribers' | 'maxDelayMs' | 'seed' | 'out', string> & { rate?: string };

interface Results {
  machine: string;
  rate: number;
  seconds: number;
  subscribers: number;
  maxDelayMs: number;
  /** Batches of the whole run. */
  batches: number;
  booked: Percentiles;
  announced: Percentiles;
  /** Until a batch is booked and announced: of all records, and of the slowest hundredth. */
  stages: { all: Stages; slowest: Stages };
}

async function main(options: Options): Promise<void> {
  const { warmUp, seed, out } = options;
  const [seconds, subscribers, maxDelayMs] = [options.seconds, options.subscribers, options.maxDelayMs].map(Number);
  const rate = options.rate === undefined ? await halfOfThroughput() : Number(options.rate);
  const records = rate * (seconds + Number(warmUp));
  const folder = await mkdtemp(join(tmpdir(), 'zerorate-bench-delay-'));
  const jars = await kafkaJars();
  const broker = await startKafka({ isForLoad: true });
  try {
    const kafka = createKafka({ brokers: broker.brokers, clientId: 'bench' });
    await createTopics(kafka, [TOPIC, `${GROUP}-quota`]);
    const file = join(folder, 'records');
    process.stdout.write(`encoding ${figure(records)} records, to be sent at ${figure(rate)} a second\n`);
    await writeRecordFile(file, datasetOptions({ seed: Number(seed), records, subscribers }));
    const engine = { broker: broker.brokers[0], group: GROUP, maxDelayMs };
    const { sentAtMs, booked, announced } = await runPaced({ kafka, engine, jars, file, records, rate, folder });
    const fromMs = Math.min(...sentAtMs.map(([first]) => first)) + Number(warmUp) * 1000;
    const delays = (batches: readonly Done[][]) =>
      percentiles(sentAtMs.map((sent, partition) => delaysOf(sent, batches[partition], fromMs)));
    const done = delays(booked);
    const stagesFrom = (leastMs: number) =>
      meanStages(sentAtMs.map((sent, partition) => sumStages(sent, booked[partition], { fromMs, leastMs })));
    const stages = { all: stagesFrom(Number.NEGATIVE_INFINITY), slowest: stagesFrom(done.p99) };
    const size = { machine: machine(), rate, seconds, subscribers, maxDelayMs, batches: booked.flat().length };
    const results: Results = { ...size, booked: done, announced: delays(announced), stages };
    await writeResults(out, 'delay', results, markdown(results));
    await writeFile(join(out, 'delay.svg'), stagesChart(stages, `${machine()}; ${figure(rate)} records a second`));
  } finally {
    await broker.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function halfOfThroughput(): Promise<number> {
  try {
    const { summaries } = JSON.parse(await readFile(packagePath('bench/results/throughput.json'), 'utf8'));
    const { recordsPerSecond } = summaries.find(({ name }: { name: string }) => name === 'zerorate');
    return Math.round(recordsPerSecond.median / 2);
  } catch {
    return DEFAULT_RATE;
  }
}

function markdown({
  machine,
  rate,
  seconds,
  subscribers,
  maxDelayMs,
  batches,
  booked,
  announced,
  stages,
}: Results): string {
  const row = (what: string, { p50, p99, most }: Percentiles) =>
    `| ${what} | ${[p50, p99, most].map((delay) => figure(delay)).join(' | ')} |`;
  return `# End-to-end delay

${machine}; ${figure(rate)} records a second of ${figure(subscribers)} subscribers for ${seconds} seconds, \
\`batch.maxDelayMs\` ${maxDelayMs}, ${figure(batches)} batches. Broker, producer, engine and consumer share the machine.

| from the producer's call until | p50, ms | p99, ms | most, ms |
|---|--:|--:|--:|
${row('the engine logs the batch as booked and announced', booked)}
${row('a consumer of what is committed has all quota updates of the batch', announced)}

What a record waits for until its batch is booked and announced, in milliseconds (mean):

| stage | all records | the slowest hundredth |
|---|--:|--:|
${STAGES.map((stage) => `| ${stage} | ${figure(stages.all[stage])} | ${figure(stages.slowest[stage])} |`).join('\n')}

![Stages of a record's delay](delay.svg)`;
}

await main(program.parse().opts<Options>());
