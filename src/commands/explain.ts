import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { decodeJson } from '../billing/decode-json.ts';
import { type CounterLookUp, explainRecord } from '../billing/explain.ts';
import { PseudonymKey } from '../billing/pseudonym.ts';
import { Rules } from '../billing/rules.ts';
import { JournalReader } from '../journal/journal-reader.ts';
import { ConfigError } from '../platform/config-error.ts';
import { createLogger } from '../platform/logger.ts';
import { literal, type Store } from '../platform/store.ts';
import { loadKeyOf } from './load-key.ts';
import { openStore } from './open-store.ts';
import { readCatalogue, readCataloguePath, readConfig, readKeyConfig } from './read-config.ts';

interface ExplainOptions {
  config?: string;
  catalogue?: string;
  store?: string;
}

export function registerExplain(program: Command): void {
  program
    .command('explain')
    .argument('<record>', 'a flow record as JSON, a file that holds one, or - for standard input')
    .description('take one record through every step and say why it ends as it does; books nothing')
    .option('-c, --config <file>', 'the configuration that names the catalogue and the store')
    .option('--catalogue <file>', 'the catalogue')
    .option(
      '--store <directory>',
      'an embedded store: its counters, suspensions and closings are what the record meets',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ head -1 flows.ndjson | zerorate explain - --catalogue catalogue.yaml
  $ zerorate explain record.json --catalogue catalogue.yaml --store ./zerorate-data`,
    )
    .action(async (record: string, options: ExplainOptions) => {
      const catalogue = readCatalogue(readCataloguePath(options));
      const value = readRecord(record);
      const steps = await withStore(options, async (store, key) => {
        const facts = store === null ? undefined : await new JournalReader(store).facts();
        return explainRecord(value, decodeJson, new Rules(catalogue, facts), key, counterLookUp(store));
      });
      for (const { step, text } of steps) process.stdout.write(`${step.padEnd(12)} ${text}\n`);
    });
}

async function withStore<T>(
  options: ExplainOptions,
  work: (store: Store | null, key: PseudonymKey) => Promise<T>,
): Promise<T> {
  // Without a store every counter is at 0, and any key will do for a pseudonym that is only shown.
  if (options.store === undefined && options.config === undefined)
    return work(null, PseudonymKey.ofRoot(Buffer.alloc(32)));
  const config = options.config === undefined ? readKeyConfig(options) : readConfig(options);
  const store = await openStore(config.store, { create: false });
  try {
    const { key } = await loadKeyOf(store, config, createLogger({ level: 'warn', format: 'json' }));
    return await work(store, key);
  } finally {
    await store.close();
  }
}

/** The counter as the journal has it now, whichever lane it stands in. */
function counterLookUp(store: Store | null): CounterLookUp {
  return async (subscriber, planId, periodStart) => {
    if (store === null) return { usedOctets: 0, carry: 0 };
    const [row] = await store.query<{ used: number; carry: number }>(
      'SELECT tupleElement(max((used_octets_after, carry_after)) AS state, 1) AS used, tupleElement(state, 2) AS carry ' +
        `FROM journal WHERE kind = 'charge' AND subscriber = unhex(${literal(subscriber)}) ` +
        `AND plan_id = ${literal(planId)} AND toUInt16(period_start) = ${periodStart}`,
    );
    return { usedOctets: Number(row.used), carry: Number(row.carry) };
  };
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
