import { mkdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { readCatalogue, readConfig } from '../../engine/assembly/read-config.ts';
import { runEngine } from '../../engine/running/run-engine.ts';
import { generateToFile } from '../../generator/write-records.ts';
import { openStore } from '../../journal/open-store.ts';
import { packagePath } from '../../platform/package-paths.ts';
import { createLogger } from '../../platform/telemetry/logger.ts';
import { Progress } from '../../platform/telemetry/terminal-output.ts';
import { formatTotals } from './generate.ts';
import { formatRun, reportRun } from './report-run.ts';

const SEED = 1;
const RECORDS = 200_000;

/** What `npm start` runs: fixtures, the engine on the embedded store, what came of it, and what to try next. */
export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description('make synthetic records, run the engine on the embedded ClickHouse, and show what it booked')
    .option('--dir <directory>', 'where to put records and store', 'zerorate-data')
    .action(async ({ dir }: { dir: string }) => {
      const paths = {
        catalogue: packagePath('fixtures/demo/catalogue.yaml'),
        records: join(resolve(dir), 'flows.ndjson'),
        store: join(resolve(dir), 'store'),
      };
      await mkdir(dir, { recursive: true });
      const logger = createLogger({ level: 'warn', format: 'pretty' });
      const progress = new Progress(process.stderr, () => {});

      const catalogue = readCatalogue(paths.catalogue);
      process.stdout.write('Making flow records …\n');
      const totals = await generateToFile({
        path: paths.records,
        options: {
          seed: SEED,
          records: RECORDS,
          subscribers: 5000,
          targets: catalogue.applications,
          startTimeMs: Date.UTC(2026, 9, 1),
          endTimeMs: Date.UTC(2026, 10, 1),
          malformed: 0.005,
          duplicate: 0.01,
          late: 0.01,
        },
        onProgress: (records) => progress.report({ label: 'writing', records, fraction: records / RECORDS }),
      });
      progress.end();
      process.stdout.write(`${formatTotals(relative('', paths.records), SEED, totals)}\n\nRating and booking them …\n`);

      const config = readConfig({ catalogue: paths.catalogue, source: [paths.records], store: paths.store });
      const store = await openStore(config.store, { create: true });
      try {
        const run = await runEngine({ config, catalogue, store, logger, progress });
        process.stdout.write(`${formatRun(run)}\n\n${await reportRun(store)}\n\n${nextCommands(paths)}\n`);
      } finally {
        await store.close();
      }
    });
}

function nextCommands(paths: { catalogue: string; records: string; store: string }): string {
  const [catalogue, records, store] = [paths.catalogue, paths.records, paths.store].map((path) => relative('', path));
  return [
    'What to try next',
    `  bin/zerorate query "SELECT * FROM account_balances" --store ${store}`,
    `  bin/zerorate query "SELECT reason, payload FROM rejections LIMIT 5" --store ${store}`,
    `  bin/zerorate statement --sponsor chatter --month 2026-10 --out chatter.html --store ${store}   # the invoice, to look at`,
    `  bin/zerorate serve --store ${store}   # and http://localhost:8123/ in a browser`,
    `  head -1 ${records} | bin/zerorate explain - --catalogue ${catalogue} --store ${store}`,
    `  bin/zerorate run --catalogue ${catalogue} --source ${records} --store ${store}   # books nothing twice`,
    '  bin/zerorate --help',
  ].join('\n');
}
