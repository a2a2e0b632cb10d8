import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { findFraud } from '../../assurance/fraud/find-fraud.ts';
import { type Finding, THRESHOLDS, type Thresholds } from '../../assurance/fraud/finding.ts';
import { parseNodeCountries } from '../../assurance/fraud/node-countries.ts';
import type { NodeCountries } from '../../assurance/fraud/roaming-rules.ts';
import { readStoreConfig } from '../../engine/assembly/read-config.ts';
import { openStore } from '../../journal/open-store.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { type RangeOptions, readRange, withUsageRangeOptions } from '../period-range.ts';
import { FINDING_FORMATS, type FindingFormat, formatFindings } from './format-findings.ts';

type FraudOptions = RangeOptions &
  Record<keyof Thresholds, number> & {
    config?: string;
    store?: string;
    format: FindingFormat;
    nodeCountries?: string;
    home?: string;
  };

export function registerFraud(program: Command): void {
  const command = withUsageRangeOptions(program.command('fraud'))
    .description('list signs of fraud in the journal: rule, subject, figures, threshold; books nothing')
    .option('-c, --config <file>', 'the configuration that names the store')
    .option('--store <directory>', 'directory of the embedded store')
    .addOption(new Option('--format <format>', 'how to write it').choices(FINDING_FORMATS).default('table'))
    .option(
      '--node-countries <file>',
      'CSV of nodeId,country (as DE): asks for travel, roaming and nodes that it lacks',
    )
    .option('--home <country>', 'the carrier’s own country, as DE: asks for sponsored usage abroad', country);
  for (const [name, { value, what }] of Object.entries(THRESHOLDS)) {
    // commander names an option's value as the threshold is named.
    const flag = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    command.option(`--${flag} <number>`, what, positive, value);
  }
  command
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate fraud --from 2026-10-01 --to 2026-11-01 --store ./zerorate-data
  $ zerorate fraud --from 2026-10-01 --to 2026-11-01 --node-countries nodes.csv --home DE --format csv --config zerorate.yaml

Exits with 0 whether it finds something or not: what it finds is a reason to look, and no proof.`,
    )
    .action(fraud);
}

async function fraud(options: FraudOptions): Promise<void> {
  const { nodeCountries, home = null, format } = options;
  if (home !== null && nodeCountries === undefined) {
    throw new ConfigError('--home: which nodes are abroad? Name their countries with --node-countries FILE');
  }
  const countries = nodeCountries === undefined ? null : readNodeCountries(nodeCountries);
  const range = readRange(options);
  const store = await openStore(readStoreConfig(options), { create: false });
  const findings: Finding[] = [];
  try {
    for await (const finding of findFraud(store, { range, thresholds: options, countries, home })) {
      findings.push(finding);
    }
  } finally {
    await store.close();
  }
  process.stdout.write(`${formatFindings(findings, format)}\n`);
}

function readNodeCountries(path: string): NodeCountries {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`${path}: cannot be read (${(error as Error).message}); name a CSV file of nodeId,country`);
  }
  const { countries, faults } = parseNodeCountries(text);
  if (countries === undefined) throw new ConfigError(faults.map((fault) => `${path}:${fault}`));
  return countries;
}

function positive(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('Expected a number of 0 or more.');
  return value;
}

function country(text: string): string {
  if (!/^[A-Z]{2}$/.test(text)) throw new InvalidArgumentError('Expected two capital letters, as DE.');
  return text;
}
