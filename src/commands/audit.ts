import type { Command } from 'commander';
import { auditJournal, INVARIANTS, type Invariant } from '../engine/audit.ts';
import { createLogger } from '../platform/logger.ts';
import { grouped } from '../platform/print-table.ts';
import { Progress } from '../platform/progress.ts';
import { openStore } from './open-store.ts';
import { readStoreConfig } from './read-config.ts';

const SHOWN_FAULTS = 20;

export function registerAudit(program: Command): void {
  program
    .command('audit')
    .description('check that the journal holds: chain, counts and digest of every batch; exits with 1 when it does not')
    .option('-c, --config <file>', 'the configuration that names the store')
    .option('--store <directory>', 'directory of the embedded store')
    .addHelpText('after', '\nExample:\n  $ zerorate audit --store ./zerorate-data')
    .action(async (options: { config?: string; store?: string }) => {
      const store = await openStore(readStoreConfig(options), { create: false });
      const logger = createLogger({ level: 'info', format: 'json' });
      const progress = new Progress(process.stderr, (fields, message) => logger.info(fields, message));
      const found = new Map<Invariant, number>();
      let audited = 0;
      try {
        const faults = auditJournal(store, (records, batches) => {
          audited = records;
          progress.report({ label: 'auditing batches', records, fraction: records / batches });
        });
        for await (const { invariant, lane, laneSequence, message } of faults) {
          const count = (found.get(invariant) ?? 0) + 1;
          found.set(invariant, count);
          if (count <= SHOWN_FAULTS) process.stdout.write(`${invariant}: ${lane}@${laneSequence}: ${message}\n`);
        }
      } finally {
        progress.end();
        await store.close();
      }
      for (const [invariant, meaning] of Object.entries(INVARIANTS)) {
        const faults = found.get(invariant as Invariant) ?? 0;
        process.stdout.write(`${faults === 0 ? 'holds ' : 'BROKEN'}  ${invariant.padEnd(7)} ${meaning}\n`);
      }
      process.stdout.write(`${grouped(audited)} batches audited\n`);
      if (found.size > 0) process.exitCode = 1;
    });
}
