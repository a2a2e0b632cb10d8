import { resolve } from 'node:path';
import { Command } from 'commander';
import { createKafka } from '../../src/platform/kafka/kafka.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { startKafka } from '../../test/servers/kafka-server.ts';
import { machine } from '../machine.ts';
import { figure, writeResults } from '../results.ts';
import { type Pauses, type ReloadFigures, type ReloadRun, runReloads, type Waits } from './run.ts';

const MIB = 2 ** 20;
const print = (text: string) => process.stdout.write(`${text}\n`);

const program = new Command('bench:reload')
  .description('What batches wait for while an engine takes over another large catalogue')
  .option('--threads <list>', 'engine threads of each run', '1,2')
  .option('--applications <n>', 'applications, each with a tag, an identity and a plan', '100000')
  .option('--prefixes <n>', 'prefixes of them all', '1000000')
  .option('--rate <n>', 'records a second', '2000')
  .option('--steady <ms>', 'how long is looked at without a reload', '15000')
  .option('--reloads <n>', 'reloads of each run', '3')
  .option('--program <file>', 'main.js of the engine that is measured', packagePath('dist/main.js'))
  .option('--seed <n>', 'draws the records', '1')
  .option('--out <folder>', 'where the results go', packagePath('bench/results'));

type Options = Record<
  'threads' | 'applications' | 'prefixes' | 'rate' | 'steady' | 'reloads' | 'program' | 'seed' | 'out',
  string
>;

async function main(options: Options): Promise<void> {
  const size = { applications: Number(options.applications), prefixes: Number(options.prefixes) };
  const broker = await startKafka({ isForLoad: true });
  const kafka = createKafka({ brokers: broker.brokers, clientId: 'bench' });
  const results: ReloadFigures[] = [];
  try {
    for (const threads of options.threads.split(',').map(Number)) {
      const run = { kafka, broker: broker.brokers[0], size, threads, recordsPerSecond: Number(options.rate) };
      const figures = await runReloads({
        ...run,
        steadyMs: Number(options.steady),
        reloads: Number(options.reloads),
        program: resolve(options.program),
        seed: Number(options.seed),
      });
      results.push(figures);
      for (const row of rows(figures)) print(row);
    }
  } finally {
    await broker.stop();
  }
  const measuredOn = machine();
  await writeResults(
    options.out,
    'reload',
    { machine: measuredOn, size, results },
    markdown(measuredOn, size, results),
  );
}

function rows({ threads, steady, reloads }: ReloadFigures): string[] {
  const row = (what: string, waits: Waits, seconds: string) =>
    `| ${[figure(threads), what, seconds, ...waitCells(waits, threads)].join(' | ')} |`;
  return [
    row('no reload', steady, '–'),
    ...reloads.map(({ seconds, ...waits }, i) => row(`reload ${i + 1}`, waits, figure(seconds, 1))),
  ];
}

/** With one thread the main thread is the engine's. */
function waitCells({ engine, main, batchMs, batches }: Waits, threads: number): string[] {
  const cells = ({ pauseMs, workMs }: Pauses) => [figure(pauseMs), figure(workMs)];
  const pauses = threads === 1 ? [...cells(main), '–', '–'] : [...cells(engine), ...cells(main)];
  return [...pauses, figure(batchMs), figure(batches)];
}

function markdown(
  measuredOn: string,
  { applications, prefixes }: ReloadRun['size'],
  results: readonly ReloadFigures[],
): string {
  const memory = results.map(
    ({ threads, resident: { before, peakBefore, peak, after } }) =>
      `| ${[threads, ...[before, peakBefore, peak, after].map((bytes) => figure(bytes / MIB))].join(' | ')} |`,
  );
  return `# Reloads of a large catalogue

${measuredOn}; one engine process that takes records from a topic at a steady rate, broker and ClickHouse in processes of their own. \
The catalogue has ${figure(prefixes)} prefixes (IPv4 and IPv6, a tenth of them with dates) and ${figure(applications)} applications, each with a \
tag, an identity and a plan; at each reload a hundredth of the prefixes and all plans are others. Pause: the longest time in which the \
event loop of a thread had no turn, in milliseconds; work: the most processor time that the thread had between two turns, which other processes on the machine do not change. Batch: the longest way of a batch, from its first record to its quota updates.

| threads | | seconds to be in use | engine's thread: pause | work | main thread: pause | work | batch | batches |
|--:|---|--:|--:|--:|--:|--:|--:|--:|
${results.flatMap(rows).join('\n')}

Resident MiB of the engine's process:

| threads | before the first reload | peak until then | peak | after the last reload |
|--:|--:|--:|--:|--:|
${memory.join('\n')}`;
}

await main(program.parse().opts<Options>());
