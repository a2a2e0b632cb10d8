import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { fileOptions, plainFiles } from '../../engine/assembly/assemble-source.ts';
import { readCatalogue, readCataloguePath, readConfig, readKeyConfig } from '../../engine/assembly/read-config.ts';
import { loadKeyOf } from '../../engine/running/load-key.ts';
import { recordRules, today } from '../../engine/running/record-rules.ts';
import { JournalReader } from '../../journal/clickhouse-journal.ts';
import { openStore } from '../../journal/open-store.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { createLogger } from '../../platform/telemetry/logger.ts';
import { decodeJson } from '../../rating/decode/decode-json.ts';
import { type CounterLookUp, explainRecord } from '../../rating/explain.ts';
import type { Explanation } from '../../rating/explain-plan.ts';
import type { Decoder } from '../../rating/flow-record.ts';
import { flowFileFormatOf } from '../../rating/record/flow-file-format.ts';
import { Rules } from '../../rating/rules.ts';
import { PseudonymKey } from '../../rating/subscribers.ts';
import { checkBeginnings } from '../../sources/files/file-beginning.ts';
import { type FlowFile, listFlowFiles } from '../../sources/files/flow-file.ts';
import { type FlowFileOptions, openFlowFile } from '../../sources/files/open-flow-file.ts';
import { type BookedAlready, bookedAlready } from '../assurance/booked-already.ts';

interface ExplainOptions {
  config?: string;
  catalogue?: string;
  store?: string;
  offset?: number;
}

export function registerExplain(program: Command): void {
  program
    .command('explain')
    .argument('<record>', 'a flow record as JSON, a file that holds one, - for standard input, or a file of records')
    .description('show how one record is decoded, classified and rated, and the reason of its outcome; books nothing')
    .option('--offset <number>', 'the record of a file of records, from 0', wholeNumber)
    .option('-c, --config <file>', 'the configuration that names the catalogue and the store')
    .option('--catalogue <file>', 'the catalogue')
    .option(
      '--store <directory>',
      'an embedded store: its counters, suspensions, closings and booked records are what the record meets',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ head -1 flows.ndjson | zerorate explain - --catalogue catalogue.yaml
  $ zerorate explain record.json --catalogue catalogue.yaml --store ./zerorate-data
  $ zerorate explain pgw.cdr --offset 3 --config zerorate.yaml`,
    )
    .action(async (record: string, options: ExplainOptions) => {
      const catalogue = readCatalogue(readCataloguePath(options));
      const { value, decode } = await readGiven(record, options);
      const { config } = options;
      const rules = recordRules(config === undefined ? plainFiles() : readConfig({ config }));
      const steps = await withStore(options, async (store, key, windowRecords) => {
        const facts = store === null ? undefined : await new JournalReader(store).facts();
        const context = { rules, bookingDay: today() };
        const steps = await explainRecord(
          value,
          decode,
          new Rules(catalogue, facts),
          key,
          counterLookUp(store),
          context,
        );
        const booked = store === null ? null : await bookedAlready(store, value, decode, windowRecords);
        return booked === null ? steps : withBooked(steps, booked);
      });
      for (const { step, text } of steps) process.stdout.write(`${step.padEnd(12)} ${text}\n`);
    });
}

/** The journal comes before the outcome, which is then that of a repeated record; quota and price are those of a record that is not booked yet. */
function withBooked(steps: readonly Explanation[], { text, outcome }: BookedAlready): { step: string; text: string }[] {
  const last = steps.slice(-1).map(({ step, text }) => ({ step, text: outcome ?? text }));
  const further = steps.some(({ step }) => step === 'price')
    ? '; quota and price above are those that the record would get if it were not booked yet'
    : '';
  return [...steps.slice(0, -1), { step: 'journal', text: `${text}${further}` }, ...last];
}

async function withStore<T>(
  options: ExplainOptions,
  work: (store: Store | null, key: PseudonymKey, windowRecords: number) => Promise<T>,
): Promise<T> {
  // Without a store every counter is at 0, and any key will do for a pseudonym that is only shown.
  if (options.store === undefined && options.config === undefined)
    return work(null, PseudonymKey.ofRoot(Buffer.alloc(32)), 0);
  const config = options.config === undefined ? readKeyConfig(options) : readConfig(options);
  const store = await openStore(config.store, { create: false });
  try {
    const { key } = await loadKeyOf(store, config, createLogger({ level: 'warn', format: 'json' }));
    return await work(store, key, config.duplicates.windowRecords);
  } finally {
    await store.close();
  }
}

/** The counter as the journal has it now, whichever lane it is in. */
function counterLookUp(store: Store | null): CounterLookUp {
  return async (subscriber, planId, periodStart) => {
    if (store === null) return { usedOctets: 0, carry: 0 };
    const [row] = await store.query<{ used: number; carry: number }>(
      'SELECT tupleElement(max(state), 1) AS used, tupleElement(max(state), 2) AS carry FROM (' +
        `SELECT (used_octets_after, carry_after) AS state FROM journal WHERE kind = 'charge' AND plan_id = ${literal(planId)} ` +
        `AND subscriber = unhex(${literal(subscriber)}) AND toUInt16(period_start) = ${periodStart} UNION ALL ` +
        `SELECT (used_octets_after, toUInt16(0)) FROM further_quota_counters WHERE quota_id = ${literal(planId)} ` +
        `AND subscriber = unhex(${literal(subscriber)}) AND toUInt16(period_start) = ${periodStart})`,
    );
    return { usedOctets: Number(row.used), carry: Number(row.carry) };
  };
}

/** A record by itself, or one of a file of records: of the formats that hold nothing else, or where an offset says so. */
async function readGiven(
  record: string,
  { offset, config }: ExplainOptions,
): Promise<{ value: Uint8Array; decode: Decoder }> {
  const format = flowFileFormatOf(record);
  if (offset === undefined && (format === null || format === 'ndjson')) {
    return { value: readRecord(record), decode: decodeJson };
  }
  const files = config === undefined ? plainFiles({}) : readConfig({ config });
  const [file] = await listFlowFiles([record], files.source.files === undefined ? undefined : files.source.format);
  await checkBeginnings([file]);
  return recordAt(file, fileOptions(files, [record]), offset ?? 0);
}

async function recordAt(file: FlowFile, options: FlowFileOptions, offset: number) {
  const { batches, decode, close } = await openFlowFile(file, options);
  let records = 0;
  try {
    for await (const batch of batches) {
      if (offset < records + batch.length) return { value: batch[offset - records].value, decode };
      records += batch.length;
    }
  } finally {
    close();
  }
  throw new ConfigError(`${file.path}: has ${records} records; the first has the offset 0`);
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return Number(text);
}

function readRecord(record: string): Buffer {
  if (record.trimStart().startsWith('{')) return Buffer.from(record);
  try {
    return readFileSync(record === '-' ? 0 : record);
  } catch (error) {
    throw new ConfigError(
      `${record}: cannot be read (${(error as Error).message}); give a record as JSON, a file or -`,
    );
  }
}
