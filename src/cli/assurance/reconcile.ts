import { type Command, InvalidArgumentError, Option } from 'commander';
import { readChargedUsage } from '../../assurance/reconciliation/read-charged-usage.ts';
import { readReports } from '../../assurance/reconciliation/read-reports.ts';
import { type Reconciliation, reconcile } from '../../assurance/reconciliation/reconcile.ts';
import { readStoreConfig } from '../../engine/assembly/read-config.ts';
import { openStore } from '../../journal/open-store.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { counted, formatTable } from '../../platform/telemetry/terminal-output.ts';

interface ReconcileOptions {
  reports: string;
  config?: string;
  store?: string;
  from: number;
  to: number;
  toleranceOctets: number;
  toleranceBasisPoints: number;
  clockSkewMs: number;
  format: 'table' | 'json';
}

export function registerReconcile(program: Command): void {
  program
    .command('reconcile')
    .description('compare what proxies reported with what the engine charged; exit code 1 when they differ')
    .requiredOption('--reports <source>', 'URL of the dispatch server, or a file saved from its GET /v1/usage-reports')
    .requiredOption('--from <time>', 'usage that starts at this time or later, as 2026-11-01T00:00:00Z', time)
    .requiredOption('--to <time>', 'and before this one', time)
    .option('-c, --config <file>', 'the configuration that names the store')
    .option('--store <directory>', 'directory of the embedded store')
    .option('--tolerance-octets <number>', 'a difference of so many octets is none', count, 0)
    .option('--tolerance-basis-points <number>', 'nor is one of so many ten-thousandths of what was reported', count, 0)
    .option('--clock-skew-ms <number>', 'by how much the clocks of proxies and network may differ', count, 2000)
    .addOption(new Option('--format <format>', 'of the result').choices(['table', 'json']).default('table'))
    .addHelpText(
      'after',
      `
Examples:
  $ ZERORATE_OPERATOR_SECRET=... zerorate reconcile --reports http://localhost:8090 --config zerorate.yaml \\
      --from 2026-11-01T00:00:00Z --to 2026-11-02T00:00:00Z
  $ zerorate reconcile --reports reports.ndjson --store ./zerorate-data --from 2026-11-01T00:00:00Z --to 2026-11-02T00:00:00Z

A session that runs over an end of the range is cut by it on both sides, not always at the same octet: choose ends when little runs.`,
    )
    .action(run);
}

async function run(options: ReconcileOptions): Promise<void> {
  const range = { fromMs: options.from, toMs: options.to };
  if (range.fromMs >= range.toMs) throw new ConfigError('--from is not before --to');
  const reports = await readReports(options.reports, range, process.env.ZERORATE_OPERATOR_SECRET);
  const store = await openStore(readStoreConfig(options), { create: false });
  try {
    const result = reconcile(reports, await readChargedUsage(store, range), {
      octets: options.toleranceOctets,
      basisPoints: options.toleranceBasisPoints,
      clockSkewMs: options.clockSkewMs,
    });
    print(result, options.format);
    if (result.differences.length > 0) process.exitCode = 1;
  } finally {
    await store.close();
  }
}

function print({ differences, totals, compared }: Reconciliation, format: 'table' | 'json'): void {
  if (format === 'json') {
    process.stdout.write(`${JSON.stringify({ compared, differences, totals }, null, 2)}\n`);
    return;
  }
  const octets = <T>(title: string, of: (row: T) => number) => ({
    title,
    cell: (row: T) => String(of(row)),
    right: true,
  });
  const totalTable = formatTable(totals, [
    { title: 'sponsor', cell: ({ sponsorId }) => sponsorId },
    { title: 'application', cell: ({ applicationId }) => applicationId },
    octets('reported octets', ({ reportedOctets }) => reportedOctets),
    octets('charged octets', ({ chargedOctets }) => chargedOctets),
    octets('reported sponsored', ({ reportedSponsoredOctets }) => reportedSponsoredOctets),
    octets('charged sponsored', ({ chargedSponsoredOctets }) => chargedSponsoredOctets),
  ]);
  process.stdout.write(`${totalTable}\n\n`);
  if (differences.length > 0) {
    const table = formatTable(differences, [
      { title: 'difference', cell: ({ kind }) => kind },
      { title: 'subscriber', cell: ({ subscriber }) => subscriber },
      { title: 'application', cell: ({ applicationId }) => applicationId },
      { title: 'content', cell: ({ contentType }) => contentType },
      { title: 'from', cell: ({ startTimeMs }) => new Date(startTimeMs).toISOString() },
      { title: 'sessions', cell: ({ sessionIds }) => sessionIds.join(' ') || '-' },
      octets('reported', ({ reportedOctets }) => reportedOctets),
      octets('charged', ({ chargedOctets }) => chargedOctets),
    ]);
    process.stdout.write(`${table}\n\n`);
  }
  process.stdout.write(`${counted(differences.length, 'difference')} in ${counted(compared, 'comparison')}\n`);
}

function time(text: string): number {
  const timeMs = Date.parse(text);
  if (!/^\d{4}-\d{2}-\d{2}T/.test(text) || !/(Z|[+-]\d{2}:\d{2})$/.test(text) || Number.isNaN(timeMs)) {
    throw new InvalidArgumentError('Expected a time with its offset, as 2026-11-01T00:00:00Z.');
  }
  return timeMs;
}

function count(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(text);
}
