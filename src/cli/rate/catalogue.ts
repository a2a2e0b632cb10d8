import { type Command, Option } from 'commander';
import { readCatalogue } from '../../engine/assembly/read-config.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { counted, formatTable } from '../../platform/telemetry/terminal-output.ts';
import { type ClaimDocument, readClaim } from '../../rating/catalogue/claim-document.ts';
import {
  type CatalogueChange,
  compareCatalogues,
  type RedatedClaim,
} from '../../rating/catalogue/compare-catalogues.ts';
import { flowInWords } from '../../rating/flow-condition.ts';
import { day } from '../period-range.ts';

/** Entries of a list that a table shows; JSON has all. */
const SHOWN_ENTRIES = 6;
const SHOWN_CHARACTERS = 60;

interface DiffOptions {
  config?: string;
  store?: string;
  from?: number;
  to?: number;
  format: 'table' | 'json';
}

export function registerCatalogue(program: Command): void {
  const catalogue = program.command('catalogue').description('compare catalogues');
  catalogue
    .command('diff')
    .argument('<old>', 'the catalogue in force')
    .argument('<new>', 'the draft')
    .description('show what changes for which sponsor between two catalogues, and in money with a store; books nothing')
    .option('-c, --config <file>', 'the configuration that names the store')
    .option('--store <directory>', 'directory of the embedded store whose charges are priced under the new catalogue')
    .option('--from <day>', 'with a store: statistics periods that begin on this day or later, as 2026-10-01', day)
    .option('--to <day>', 'and before this one, as 2026-11-01', day)
    .addOption(new Option('--format <format>', 'of the output').choices(['table', 'json']).default('table'))
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate catalogue diff catalogue.yaml draft.yaml
  $ zerorate catalogue diff catalogue.yaml draft.yaml --store ./zerorate-data --from 2026-10-01 --to 2026-11-01

One line for each sponsor, application, plan or monthly terms that are new or gone, and for each field that differs. With a store and a range of days, the
difference in money of records that are charged already follows, as \`simulate\` shows it. Evidence stays as booked there: a changed
prefix, tag or identity shows no difference (\`rerate --from-source\`); nor do flat fees, commitments and rebates. Exit code 0 if the catalogues could be compared.`,
    )
    .action(showDifference);
}

async function showDifference(oldPath: string, newPath: string, options: DiffOptions): Promise<void> {
  const { config, store, from, to, format } = options;
  const changes = compareCatalogues(readCatalogue(oldPath), readCatalogue(newPath));
  const isPriced = store !== undefined || config !== undefined;
  if (isPriced !== (from !== undefined && to !== undefined) || (from === undefined) !== (to === undefined)) {
    throw new ConfigError('a difference in money needs a store (--store or --config), --from and --to');
  }
  if (from === undefined || to === undefined) {
    if (format === 'json') printJson({ changes });
    else printChanges(changes);
    return;
  }
  const [{ nameNotIncluded, notIncludedJson, priceHistory }, { formatDifference, UNSPONSORED_STAY }] =
    await Promise.all([import('../finance/simulate.ts'), import('../finance/print-difference.ts')]);
  const result = await priceHistory({
    catalogue: newPath,
    from,
    to,
    ...(config !== undefined && { config }),
    ...(store !== undefined && { store }),
  });
  const money = formatDifference(result.lines, ['sponsor', 'plan'], format, notIncludedJson(result));
  if (format === 'json') printJson({ changes, money: JSON.parse(money) });
  else {
    printChanges(changes);
    process.stdout.write(`\n${UNSPONSORED_STAY}\n\n${money}\n`);
  }
  nameNotIncluded(result);
}

function printJson(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}

function printChanges(changes: readonly CatalogueChange[]): void {
  if (changes.length === 0) {
    process.stdout.write('the catalogues do not differ\n');
    return;
  }
  const table = formatTable(changes, [
    { title: 'sponsor', cell: ({ sponsorId }) => sponsorId },
    { title: 'part', cell: ({ part }) => part },
    { title: 'field', cell: ({ change, field }) => field ?? `(${change})` },
    { title: 'change', cell: changeText },
  ]);
  const sponsors = new Set(changes.map(({ sponsorId }) => sponsorId)).size;
  process.stdout.write(`${table}\n\n${counted(changes.length, 'change')} for ${counted(sponsors, 'sponsor')}\n`);
}

function changeText({ change, field, before, after, added, removed, redated = [] }: CatalogueChange): string {
  if (field === undefined) return change;
  if (added === undefined || removed === undefined) return `${valueText(before)} → ${valueText(after)}`;
  const lists = [entriesText('+', added), entriesText('−', removed), redatedText(redated)];
  return lists.filter((text) => text !== '').join('  ');
}

/** As `+2: 192.0.2.0/24, 198.51.100.0/24`. */
function entriesText(sign: string, entries: readonly unknown[]): string {
  return listText(sign, entries.map(entryText));
}

/** As `~1: 192.0.2.0/24 always → to 2026-03-01T00:00:00Z`. */
function redatedText(entries: readonly RedatedClaim[]): string {
  const dates = (entry: unknown) => datesText(entry) || ' always';
  return listText(
    '~',
    entries.map(({ before, after }) => `${claimName(after)}${dates(before)} →${dates(after)}`),
  );
}

function listText(sign: string, texts: readonly string[]): string {
  if (texts.length === 0) return '';
  const more = texts.length - SHOWN_ENTRIES;
  const shown = texts.slice(0, SHOWN_ENTRIES).join(', ');
  return `${sign}${texts.length}: ${shown}${more > 0 ? `, and ${more} more` : ''}`;
}

/** Of a claim also when it is in force, as `192.0.2.0/24 from 2026-03-01T00:00:00Z`. */
function entryText(entry: unknown): string {
  return `${claimName(entry)}${datesText(entry)}`;
}

/** What an entry claims: of a prefix also its protocol and ports; of a service its numbers. */
function claimName(entry: unknown): string {
  if (typeof entry !== 'object' || entry === null) return valueText(entry);
  if ('cidr' in entry) {
    const { text, flow } = readClaim(entry as ClaimDocument);
    return `${valueText(text)}${flow === undefined ? '' : ` ${flowInWords(flow)}`}`;
  }
  const { from: _from, to: _to, ...claim } = entry as Record<string, unknown>;
  const values = Object.values(claim);
  return valueText(values.length === 1 ? values[0] : claim);
}

function datesText(entry: unknown): string {
  if (typeof entry !== 'object' || entry === null) return '';
  const { from, to } = entry as { from?: string; to?: string };
  return `${from === undefined ? '' : ` from ${from}`}${to === undefined ? '' : ` to ${to}`}`;
}

function valueText(value: unknown): string {
  if (value === undefined) return '–';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`;
}
