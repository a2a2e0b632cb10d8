import { type Command, InvalidArgumentError } from 'commander';
import { replayBatches } from '../../assurance/replay/replay.ts';
import { type ConfigOptions, readSourceConfig, withSourceOptions } from '../../engine/assembly/read-config.ts';
import { readSourceAgain } from '../../engine/read-again/read-source-again.ts';
import { walkBatches } from '../../engine/read-again/walk-batches.ts';
import { loadKeyOf } from '../../engine/running/load-key.ts';
import { recordRules } from '../../engine/running/record-rules.ts';
import { ClickHouseEvidence } from '../../journal/evidence/clickhouse-evidence.ts';
import type { BatchRow } from '../../journal/evidence/evidence.ts';
import { openStore } from '../../journal/open-store.ts';
import { createLogger } from '../../platform/telemetry/logger.ts';
import { formatTable, grouped, Progress } from '../../platform/telemetry/terminal-output.ts';

type ReplayOptions = ConfigOptions & { verify: true; lane?: string; from?: number; to?: number };

interface LaneResult {
  lane: string;
  batches: number;
  records: number;
  same: number;
  different: number;
  /** Records of subscribers who were erased since. */
  ofErased: number;
}

export function registerReplay(program: Command): void {
  withSourceOptions(program.command('replay'))
    .description(
      'rate booked batches again from the source, with the catalogue, suspensions and closings that they were rated with',
    )
    .requiredOption('--verify', 'compare each batch with the digest in the journal; exits with 1 when one differs')
    .option('--lane <lane>', 'only this lane: topic-partition, or files')
    .option('--from <batch>', 'only from this number of a lane’s batches on', batchNumber)
    .option('--to <batch>', 'only up to this number', batchNumber)
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate replay --verify --store ./zerorate-data --source flows.ndjson
  $ zerorate replay --verify --config zerorate.yaml --lane flows-0 --from 100 --to 200

Window of duplicates, limits, forms of MSISDNs and pseudonym key have to be what they were when the batches were booked.`,
    )
    .action(replay);
}

async function replay(options: ReplayOptions): Promise<void> {
  const config = readSourceConfig(options);
  const logger = createLogger(config.log);
  const progress = new Progress(process.stderr, (fields, message) => logger.info(fields, message));
  const store = await openStore(config.store, { create: false });
  const again = await readSourceAgain(config, store, logger);
  const settings = {
    pseudonymKey: (await loadKeyOf(store, config, logger)).key,
    duplicateWindowRecords: config.duplicates.windowRecords,
    recordRules: recordRules(config),
    rejectionPayloadBytes: config.limits.rejectionPayloadBytes,
  };
  const evidence = new ClickHouseEvidence(store);
  const lanes = new Map<string, LaneResult>();
  try {
    const batches = (await evidence.batches()).filter((batch) => isWanted(batch, options));
    for (const { lane } of batches) {
      const result = lanes.get(lane) ?? { lane, batches: 0, records: 0, same: 0, different: 0, ofErased: 0 };
      lanes.set(lane, { ...result, batches: result.batches + 1 });
    }
    const walk = walkBatches(again.readable(batches), again.open);
    let replayed = 0;
    for await (const { batch, records, digest, recordsOfErased } of replayBatches(evidence, walk, settings)) {
      replayed++;
      progress.report({ label: 'replaying batches', records: replayed, fraction: replayed / batches.length });
      const result = lanes.get(batch.lane);
      if (result === undefined) continue;
      result.records += records;
      result.ofErased += recordsOfErased;
      if (digest === batch.digest) result.same++;
      else result.different++;
      if (digest !== batch.digest) printDifference(batch, digest);
    }
  } finally {
    progress.end();
    await again.close();
    await store.close();
  }
  printResult([...lanes.values()], options);
}

function isWanted({ lane, numbers, gapReason }: BatchRow, { lane: wanted, from = 1, to }: ReplayOptions): boolean {
  const { lane_sequence } = numbers;
  const isInRange = lane_sequence >= from && lane_sequence <= (to ?? Number.POSITIVE_INFINITY);
  return isInRange && gapReason === '' && (wanted === undefined || lane === wanted);
}

function printDifference({ lane, numbers, digest: booked }: BatchRow, digest: string): void {
  const now = digest === '' ? 'the source has no record of it' : `rated once more it is ${digest.slice(0, 12)}`;
  process.stdout.write(`${lane}@${numbers.lane_sequence}: booked as ${booked.slice(0, 12)}, ${now}\n`);
}

function printResult(results: readonly LaneResult[], { lane, from, to }: ReplayOptions): void {
  const hasErased = results.some(({ ofErased }) => ofErased > 0);
  const table = formatTable(results, [
    { title: 'lane', cell: ({ lane }) => lane },
    { title: 'batches', cell: ({ batches }) => grouped(batches), right: true },
    { title: 'records', cell: ({ records }) => grouped(records), right: true },
    { title: 'same', cell: ({ same }) => grouped(same), right: true },
    { title: 'different', cell: ({ different }) => grouped(different), right: true },
    ...(hasErased
      ? [{ title: 'records of erased', cell: ({ ofErased }: LaneResult) => grouped(ofErased), right: true }]
      : []),
    {
      title: 'not in the source',
      cell: (result) => grouped(unread(result)),
      right: true,
    },
  ]);
  process.stdout.write(`${results.length === 0 ? 'no batches in this range' : table}\n`);
  if (hasErased) process.stdout.write(OF_ERASED);
  const compared = results.reduce((sum, { same, different }) => sum + same + different, 0);
  if (compared === 0 && results.length > 0) process.stdout.write(NOTHING_COMPARED);
  // A range that was asked for has to be compared in whole; without one, retention may have taken the beginning.
  const hasRange = lane !== undefined || from !== undefined || to !== undefined;
  const isIncomplete = hasRange && results.some((result) => unread(result) > 0);
  if (compared > 0 && isIncomplete)
    process.stdout.write('Not all of this range was compared: see "not in the source".\n');
  const isDifferent = results.some(({ different }) => different > 0);
  if (compared === 0 || isIncomplete || isDifferent) process.exitCode = 1;
}

function unread({ batches, same, different }: LaneResult): number {
  return batches - same - different;
}

const NOTHING_COMPARED =
  'Nothing was compared: the source has none of these batches. Give the source that they were booked from.\n';

const OF_ERASED =
  'Records "of erased" are of subscribers who were erased since: their pseudonyms are taken from the journal, as they cannot be ' +
  'computed any more; all else of them is rated again and compared.\n';

function batchNumber(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('A batch has a number from 1 on.');
  return Number(text);
}
