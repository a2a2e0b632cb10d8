import { dayText } from '../../finance/calendar-day.ts';
import {
  type Difference,
  differenceOf,
  HAD_CHARGE,
  rollUp,
  type UsageSums,
} from '../../finance/corrections/difference.ts';
import type { SponsorLine } from '../../finance/corrections/what-if.ts';
import { exactUnits } from '../../finance/shown-money.ts';
import { csvText } from '../../formats/csv.ts';
import { compareNumbered } from '../../platform/compare-texts.ts';
import { createLogger } from '../../platform/telemetry/logger.ts';
import { formatTable, grouped, Progress, type TableColumn } from '../../platform/telemetry/terminal-output.ts';
import { EVIDENCES } from '../../rating/flow-record.ts';

export const DIFFERENCE_FORMATS = ['table', 'csv', 'json'] as const;
export type DifferenceFormat = (typeof DIFFERENCE_FORMATS)[number];

/** What a difference is shown by. */
const KEYS = {
  sponsor: ({ sponsorId }: SponsorLine) => sponsorId,
  plan: ({ planId }: SponsorLine) => planId || '(no plan)',
  version: ({ planId, planVersion }: SponsorLine) => (planId === '' ? '' : String(planVersion)),
  month: ({ monthDay }: SponsorLine) => dayText(monthDay).slice(0, 7),
  day: ({ usageDay }: SponsorLine) => dayText(usageDay),
  newlyBy: ({ newlyBy }: SponsorLine) => (newlyBy === HAD_CHARGE ? '' : EVIDENCES[newlyBy]),
};
export type DifferenceKey = keyof typeof KEYS;

const SUMS = ['records', 'sponsoredOctets', 'subscriberOctets', 'chargeMicros'] as const;
/** What rating again does not do. */
export const UNSPONSORED_STAY =
  'Evidence stays as booked, and records without a sponsor are not included: a changed prefix, tag or identity shows no difference ' +
  'here (`rerate --from-source` reads the records again).';

export function linesOf(difference: Difference, sponsorId: string, currency: string): SponsorLine[] {
  return difference.lines().map((line) => ({ ...line, sponsorId, currency }));
}

/** Shows on standard error how far a rating has come. */
export function ratingProgress(): { onProgress: (records: number) => void; end: () => void } {
  const logger = createLogger({ level: 'info', format: 'json' });
  const progress = new Progress(process.stderr, (fields, message) => logger.info(fields, message));
  return {
    onProgress: (records) => progress.report({ label: 'rating again', records, fraction: null }),
    end: () => progress.end(),
  };
}

export function printDifference(
  lines: readonly SponsorLine[],
  keys: readonly DifferenceKey[],
  format: DifferenceFormat,
  more: object = {},
): void {
  if (lines.length === 0 && format === 'table') return;
  process.stdout.write(`${formatDifference(lines, keys, format, more)}\n`);
}

/**
 * The difference by some keys, and in total for each sponsor. Money in tables is exact, in micro-units elsewhere. `more`: what JSON
 * has besides.
 */
export function formatDifference(
  lines: readonly SponsorLine[],
  keys: readonly DifferenceKey[],
  format: DifferenceFormat,
  more: object = {},
): string {
  const textsOf = (line: SponsorLine) => ['sponsor' as const, ...keys].map((key) => KEYS[key](line));
  const rolled = rollUp(lines, (line) => textsOf(line).join(' '))
    .map((line) => ({ line, texts: textsOf(line) }))
    .sort((a, b) => compare(a.texts, b.texts))
    .map(({ line }) => line);
  if (format === 'csv') return csv(rolled, keys);
  const totals = rollUp(lines, ({ sponsorId }) => sponsorId).sort((a, b) => compareNumbered(a.sponsorId, b.sponsorId));
  if (format === 'json') {
    const amounts = (of: readonly SponsorLine[], by: readonly DifferenceKey[]) => of.map((line) => jsonLine(line, by));
    return JSON.stringify({ lines: amounts(rolled, keys), totals: amounts(totals, ['sponsor']), ...more }, null, 2);
  }
  return table(rolled, totals, keys);
}

function table(rolled: readonly SponsorLine[], totals: readonly SponsorLine[], keys: readonly DifferenceKey[]): string {
  const rows = [
    ...rolled.map((line) => ({ line, texts: keys.map((key) => KEYS[key](line)) })),
    ...totals.map((line) => ({ line, texts: totalTexts(line, keys) })),
  ];
  type Row = (typeof rows)[number];
  const amount = (title: string, cell: (line: SponsorLine) => string): TableColumn<Row> => ({
    title,
    cell: ({ line }) => cell(line),
    right: true,
  });
  return formatTable(rows, [
    ...keys.map((key, at): TableColumn<Row> => ({ title: key, cell: ({ texts }) => texts[at] })),
    amount('records', ({ before }) => grouped(before.records)),
    amount('re-rated', ({ after }) => grouped(after.records)),
    amount('sponsored octets', ({ before }) => grouped(before.sponsoredOctets)),
    amount('re-rated', ({ after }) => grouped(after.sponsoredOctets)),
    amount('charge', ({ before }) => exactUnits(before.chargeMicros)),
    amount('re-rated', ({ after }) => exactUnits(after.chargeMicros)),
    amount('difference', (line) => signed(differenceOf(line).chargeMicros)),
    { title: '', cell: ({ line }) => line.currency },
  ]);
}

function totalTexts({ sponsorId }: SponsorLine, keys: readonly DifferenceKey[]): string[] {
  const place = keys.findIndex((key) => key !== 'sponsor');
  return keys.map((key, at) => (key === 'sponsor' ? sponsorId : at === place ? 'total' : ''));
}

/** Versions as the numbers that they are. */
function compare(a: readonly string[], b: readonly string[]): number {
  const differing = a.findIndex((text, at) => text !== b[at]);
  return differing < 0 ? 0 : compareNumbered(a[differing], b[differing]);
}

function signed(micros: bigint): string {
  return `${micros > 0n ? '+' : ''}${exactUnits(micros)}`;
}

function csv(rolled: readonly SponsorLine[], keys: readonly DifferenceKey[]): string {
  const sides = ['before', 'after', 'difference'];
  const title = [...keys, 'currency', ...sides.flatMap((side) => SUMS.map((name) => `${side}.${name}`))];
  const cells = (line: SponsorLine) => [
    ...keys.map((key) => KEYS[key](line)),
    line.currency,
    ...[line.before, line.after, differenceOf(line)].flatMap((sums) => SUMS.map((name) => sums[name])),
  ];
  return csvText([title, ...rolled.map(cells)]).trimEnd();
}

function jsonLine(line: SponsorLine, keys: readonly DifferenceKey[]): Record<string, unknown> {
  // Sums may pass what a JSON number can hold.
  const texts = (sums: UsageSums) => Object.fromEntries(SUMS.map((name) => [name, String(sums[name])]));
  return {
    ...Object.fromEntries(keys.map((key) => [key, KEYS[key](line)])),
    currency: line.currency,
    before: texts(line.before),
    after: texts(line.after),
    difference: texts(differenceOf(line)),
  };
}
