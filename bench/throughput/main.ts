import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Command } from 'commander';
import { createKafka } from '../../src/platform/kafka/kafka.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { startKafka } from '../../test/servers/kafka-server.ts';
import { machine } from '../machine.ts';
import { writeResults } from '../results.ts';
import { chart } from './chart.ts';
import { chooseSides } from './choose-sides.ts';
import { createTopics, produceDataset } from './dataset.ts';
import { buildPeer } from './go-side.ts';
import { measure } from './measure.ts';
import { markdown, ratios, type SideResult, summarise } from './report.ts';
import { assertSameWork } from './same-work.ts';
import { startSchemaRegistry } from './schema-registry.ts';
import { type Place, SIDES } from './side.ts';
import { compileStreams } from './streams-classes.ts';

interface Options {
  records: string;
  subscribers: string;
  rounds: string;
  seed: string;
  sides: string;
  node: string;
  out: string;
}

const print = (text: string) => process.stdout.write(`${text}\n`);

/** The sides that the others are compared with. */
const ENGINES = ['zerorate', 'zerorate-http'];

const program = new Command('bench')
  .description(
    'Reads one topic with each side alone, in rotating order, and compares their rate, CPU time and memory. The side "go" needs Go ' +
      '(from $GO, PATH or /usr/local/go): without it the side is skipped, and the results say so. "streams" needs a JDK and Maven: ' +
      'without them the benchmark fails; leave the side out with --sides.',
  )
  .option('--records <n>', 'records in the topic', '2000000')
  .option('--subscribers <n>', 'subscribers of these records', '100000')
  .option('--rounds <n>', 'how often each side reads the topic', '5')
  .option('--seed <n>', 'seed of the records: the same seed and options give the same topic', '1')
  .option('--sides <names>', 'sides to run, separated by commas', SIDES.map(({ name }) => name).join(','))
  .option('--node <path>', 'Node.js binary for the sides that run on Node.js, to compare versions', process.execPath)
  .option('--out <folder>', 'folder for the results', packagePath('bench/results'));

async function main(options: Options): Promise<void> {
  const [records, subscribers, rounds, seed] = [options.records, options.subscribers, options.rounds, options.seed].map(
    Number,
  );
  const { sides, skipped, go } = chooseSides(options.sides);
  for (const { name, reason } of skipped) print(`${name} is skipped: ${reason}`);
  const peer = go === null ? '' : await buildPeer(go);
  const nodeVersion = await versionOf(options.node);
  const streamsClassPath = sides.some(({ name }) => name === 'streams') ? await compileStreams() : '';
  const broker = await startKafka({ isForLoad: true, properties: { 'log.retention.hours': '-1' } });
  const registry = await startSchemaRegistry();
  const kafka = createKafka({ brokers: broker.brokers, clientId: 'bench' });
  const admin = kafka.admin();
  try {
    await admin.connect();
    const measuredOn = machine(nodeVersion);
    print(`${measuredOn}; ${records} records of ${subscribers} subscribers, seed ${seed}`);
    const made = await produceDataset(kafka, { seed, records, subscribers, onProgress: progressOf(records) });
    const { node } = options;
    const place: Place = { broker: broker.brokers[0], registry: registry.url, node, peer, streamsClassPath };
    const results: SideResult[] = sides.map((side) => ({ side, rounds: [] }));
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < sides.length; turn++) {
        const index = (round + turn) % sides.length;
        const side = sides[index];
        const group = `bench-${side.name}-${round}`;
        await createTopics(
          kafka,
          ['quota', 'charges'].map((kind) => `${group}-${kind}`),
        );
        const measured = await measure(side, place, admin, group, records);
        assertSameWork(side.name, measured.totals, made);
        results[index].rounds.push(measured);
        print(
          `round ${round + 1}  ${side.name.padEnd(14)} ${measured.seconds.toFixed(2)} s  ${Math.round(records / measured.seconds)} records/s, ${((measured.cpuSeconds * 1e6) / records).toFixed(2)} CPU s/million`,
        );
      }
    }
    const summaries = summarise(results, records);
    const table = markdown(summaries, skipped);
    const compared = ENGINES.flatMap((of) => ratios(results, of).map((one) => ({ of, ...one })));
    for (const { of, to, ratio } of compared)
      print(`${of} / ${to}: ${ratio.median.toFixed(2)} (${ratio.least.toFixed(2)} to ${ratio.most.toFixed(2)})`);
    const caption = `${measuredOn}; ${records.toLocaleString('en-US')} records, ${rounds} rounds; the line goes from the slowest to the fastest round`;
    const all = {
      machine: measuredOn,
      node: nodeVersion,
      records,
      subscribers,
      seed,
      skipped,
      summaries,
      compared,
      results,
    };
    await writeResults(options.out, 'throughput', all, `# Throughput\n\n${caption}.\n\n${table}`);
    await writeFile(join(options.out, 'throughput.svg'), chart(summaries, caption));
  } finally {
    await admin.disconnect();
    registry.stop();
    await broker.stop();
  }
}

/** Rejects where the path is no Node.js. */
async function versionOf(node: string): Promise<string> {
  const { stdout } = await promisify(execFile)(node, ['--version']);
  return stdout.trim();
}

function progressOf(records: number): (sent: number) => void {
  let reported = 0;
  return (sent) => {
    const tenth = Math.floor((sent * 10) / records);
    if (tenth > reported) print(`produced ${tenth}0 %`);
    reported = tenth;
  };
}

await main(program.parse().opts<Options>());
