import type { Command } from 'commander';
import { readStoreConfig } from '../../engine/assembly/read-config.ts';
import { readCoverage } from '../../finance/closing/coverage.ts';
import { coveredCsv, coveredParquet } from '../../finance/closing/covered-rows.ts';
import { statementOf } from '../../finance/statements/statement.ts';
import { statementCsv } from '../../finance/statements/statement-csv.ts';
import { type Statement, statementJson } from '../../finance/statements/statement-document.ts';
import { statementFocus } from '../../finance/statements/statement-focus.ts';
import { statementHtml } from '../../finance/statements/statement-html.ts';
import { statementUbl } from '../../finance/statements/statement-ubl.ts';
import { statementXlsx } from '../../finance/statements/statement-xlsx.ts';
import { openStore } from '../../journal/open-store.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { type MonthOptions, requireMonth, withMonthOptions } from '../finance-options.ts';
import { type Output, writeOutput } from '../write-output.ts';
import { configuredSigningKey, writeSignedJson } from './load-signing-key.ts';

const FORMATS = ['html', 'json', 'csv', 'parquet', 'xlsx', 'ubl', 'focus'] as const;
/** Cleanups that say no format by themselves. */
const ENDINGS: Readonly<Record<string, (typeof FORMATS)[number]>> = { xml: 'ubl' };
type Format = (typeof FORMATS)[number];
const FOR_A_FILE: readonly Format[] = ['parquet', 'xlsx'];

type StatementOptions = MonthOptions & { format?: string; out?: string; rows?: string; signingKey?: string };

export function registerStatement(program: Command): void {
  withMonthOptions(program.command('statement'))
    .description('write the statement of a sponsor’s month: what it owes, why, and the proof')
    .option(
      '--format <format>',
      'html, json, csv (its lines), parquet (its rows), xlsx, ubl (the invoice, XML) or focus (costs, CSV); by default as --out ends, else json',
    )
    .option('--out <file>', 'the file to write; without it standard output')
    .option('--rows <file>', 'write the charge rows covered too, as CSV: what `verify` and `prove` read')
    .option('--signing-key <file>', 'sign the JSON with this key, as FILE.jws beside it; by default the configured key')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate statement --sponsor chatter --month 2026-10 --out chatter-2026-10.html --store ./zerorate-data
  $ zerorate statement --sponsor chatter --month 2026-10 --out statement.json --rows rows.csv --store ./zerorate-data
  $ zerorate verify statement.json rows.csv
  $ zerorate statement --sponsor chatter --month 2026-10 --format ubl --out ZR-000017.xml --store ./zerorate-data

The statement of an open month shows what is booked so far; \`zerorate close\` freezes it.`,
    )
    .action(writeStatement);
}

async function writeStatement(options: StatementOptions): Promise<void> {
  const { out } = options;
  const month = requireMonth(options.month);
  const format = formatOf(options);
  if (options.signingKey !== undefined && (format !== 'json' || out === undefined)) {
    throw new ConfigError('--signing-key: signs the statement as JSON in a file; name it with --out FILE.json');
  }
  const key = format === 'json' && out !== undefined ? configuredSigningKey(options) : null;
  const store = await openStore(readStoreConfig(options), { create: false });
  try {
    const coverage = await readCoverage(store, options.sponsor, month);
    const statement = await statementOf(store, coverage);
    if (format === 'json' && out !== undefined) await writeSignedJson(out, `${statementJson(statement)}\n`, key);
    else await writeOutput(out, await rendering(format, statement, () => coveredParquet(store, coverage)));
    const { leaves } = statement.proof;
    if (options.rows !== undefined) await writeOutput(options.rows, coveredCsv(store, coverage, leaves));
  } finally {
    await store.close();
  }
}

function rendering(format: Format, statement: Statement, parquet: () => Promise<Output>): Output | Promise<Output> {
  const renderings: Record<Format, () => Output | Promise<Output>> = {
    html: () => statementHtml(statement),
    json: () => `${statementJson(statement)}\n`,
    csv: () => statementCsv(statement),
    parquet,
    xlsx: () => statementXlsx(statement),
    ubl: () => statementUbl(statement),
    focus: () => statementFocus(statement),
  };
  return renderings[format]();
}

function formatOf({ format, out }: StatementOptions): Format {
  const wanted = format ?? (out === undefined ? 'json' : (out.split('.').at(-1) ?? ''));
  const known =
    format === undefined && ENDINGS[wanted] !== undefined ? ENDINGS[wanted] : FORMATS.find((known) => known === wanted);
  if (known === undefined) {
    const given =
      format === undefined ? `--out ${out}: its ending says no format; name one with --format` : `--format ${format}`;
    throw new ConfigError(`${given}: expected one of ${FORMATS.join(', ')}`);
  }
  if (out === undefined && FOR_A_FILE.includes(known)) {
    throw new ConfigError(`--format ${known} is for a file: name it with --out FILE.${known}`);
  }
  return known;
}
