import { resolve } from 'node:path';
import { Command } from 'commander';
import { createKafka } from '../../src/platform/kafka/kafka.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { startKafka } from '../../test/servers/kafka-server.ts';
import { machine } from '../machine.ts';
import { figure, writeResults } from '../results.ts';
import { type EngineMemory, runMemory } from './run.ts';

const MIB = 2 ** 20;
/** A few partitions have more records each: what a partition takes is seen only after it has had enough of them. */
const LEAST_BACKLOG = 200_000;
const print = (text: string) => process.stdout.write(`${text}\n`);

const program = new Command('bench:memory')
  .description('Resident memory of an engine by its number of partitions, caught up and with a backlog in each')
  .option('--partitions <list>', 'numbers of partitions', '1,20,200')
  .option('--first <n>', 'records of each partition before the engine is caught up', '200')
  .option('--backlog <n>', 'records that wait in each partition', '15000')
  .option('--settle <ms>', 'from the last record to the look at the memory', '10000')
  .option('--program <file>', 'main.js of the engine that is measured', packagePath('dist/main.js'))
  .option('--seed <n>', 'draws the records', '1')
  .option('--out <folder>', 'where the results go', packagePath('bench/results'));

type Options = Record<'partitions' | 'first' | 'backlog' | 'settle' | 'program' | 'seed' | 'out', string>;

async function main(options: Options): Promise<void> {
  const [firstRecords, backlog, settleMs, seed] = [options.first, options.backlog, options.settle, options.seed].map(
    Number,
  );
  const broker = await startKafka({ isForLoad: true, properties: { 'log.retention.hours': '-1' } });
  const kafka = createKafka({ brokers: broker.brokers, clientId: 'bench' });
  const results: EngineMemory[] = [];
  try {
    for (const partitions of options.partitions.split(',').map(Number)) {
      const backlogRecords = Math.max(backlog, Math.ceil(LEAST_BACKLOG / partitions));
      const run = { kafka, broker: broker.brokers[0], partitions, firstRecords, backlogRecords, settleMs, seed };
      const memory = await runMemory({ ...run, program: resolve(options.program) });
      results.push(memory);
      print(`${partitions} partitions: ${cells(memory).join(' ')}`);
    }
  } finally {
    await broker.stop();
  }
  const measuredOn = machine();
  await writeResults(
    options.out,
    'memory',
    { machine: measuredOn, firstRecords, results },
    markdown(measuredOn, results),
  );
}

function cells({ partitions, caughtUp, caughtUpPeak, backlogPeak, afterBacklog, ...backlog }: EngineMemory): string[] {
  return [
    figure(partitions),
    ...[caughtUp, caughtUpPeak, backlogPeak, afterBacklog].map((bytes) => figure(bytes / MIB)),
    figure(backlog.backlogRecords),
    figure(backlog.backlogSeconds, 1),
  ];
}

function markdown(measuredOn: string, results: readonly EngineMemory[]): string {
  return `# Memory by partitions

${measuredOn}; one engine process with the default configuration, broker and ClickHouse in processes of their own. Figures are \
MiB that are resident of the engine's process alone. Caught up: the engine has read a few records of each partition and waits for \
more. Backlog: a new process finds the records of the next to last column waiting, spread over all partitions; its peak, and what \
it still has some seconds after the last record.

| partitions | caught up | at its peak | backlog, at its peak | after the backlog | records of the backlog | seconds |
|--:|--:|--:|--:|--:|--:|--:|
${results.map((memory) => `| ${cells(memory).join(' | ')} |`).join('\n')}`;
}

await main(program.parse().opts<Options>());
