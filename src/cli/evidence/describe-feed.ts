import { ADDRESS_FAMILIES } from '../../evidence/address-spans.ts';
import type { LoggedChange } from '../../evidence/feed-files.ts';
import type { GuardRefusal } from '../../evidence/feed-guards.ts';
import type { ListDifference } from '../../evidence/list-difference.ts';
import { timeText } from '../../evidence/part-text.ts';
import type { PendingList } from '../../evidence/pending-list.ts';
import { counted, grouped } from '../../platform/telemetry/terminal-output.ts';

/** Most prefixes of each kind that are printed where not all are asked for. */
const SHOWN_PREFIXES = 40;

/** Where a list is from, when it was made and fetched, and by whom. */
export function describeSource({
  source,
  sourceSha256,
  fetchedAt,
  fetchedBy,
  createdAt,
}: Pick<PendingList, 'source' | 'sourceSha256' | 'fetchedAt' | 'fetchedBy' | 'createdAt'>): string[] {
  const made = createdAt === undefined ? '' : `, made at ${createdAt}`;
  const by = fetchedBy === undefined ? '' : ` by ${fetchedBy}`;
  return [`  source: ${source}${made}, fetched at ${fetchedAt}${by}`, `  SHA-256: ${sourceSha256}`];
}

/** What a list changes: prefixes, and addresses by family with the spans that they are in. */
export function describeDifference({ added, removed, before, after }: ListDifference, showsAll: boolean): string[] {
  return [
    ...prefixLines('+', added, showsAll),
    ...prefixLines('-', removed, showsAll),
    `  prefixes: ${grouped(before.prefixes)} before, ${grouped(after.prefixes)} after`,
    ...ADDRESS_FAMILIES.filter((family) => before[family].spans + after[family].spans > 0).map((family) => {
      const [had, has] = [before[family], after[family]];
      return `  ${family}: ${counted(had.addresses, 'address', 'addresses')} in ${counted(had.spans, 'span')} before, ${grouped(has.addresses)} in ${grouped(has.spans)} after`;
    }),
  ];
}

function prefixLines(sign: string, prefixes: readonly string[], showsAll: boolean): string[] {
  const shown = showsAll ? prefixes : prefixes.slice(0, SHOWN_PREFIXES);
  const rest = prefixes.length - shown.length;
  const more = rest === 0 ? [] : [`  ${sign} ${grouped(rest)} more: zerorate evidence show with --feed shows all`];
  return [...shown.map((prefix) => `  ${sign} ${prefix}`), ...more];
}

/** Who has approved a list, and when. */
export function describeApprovals({ approvals }: Pick<PendingList, 'approvals'>, needed?: number): string {
  const names = approvals.map(({ by, at, from }) => `${by} at ${at}${from === undefined ? '' : ` (from ${from} on)`}`);
  const count = needed === undefined ? '' : ` ${approvals.length} of ${needed}`;
  return `  approved${count}${names.length === 0 ? '' : `: ${names.join(', ')}`}`;
}

/** The change that a feed's part was made by. */
export function describeChange(change: LoggedChange): string[] {
  const { effectiveFrom, added, removed } = change;
  return [
    `  in force from ${effectiveFrom} on: ${grouped(added.length)} added, ${grouped(removed.length)} removed`,
    describeApprovals(change),
    ...describeSource(change),
  ];
}

/** Each limit that a list exceeds, a line each. */
export function describeRefusals(feed: string, refusals: readonly GuardRefusal[]): string[] {
  return refusals.map(({ guard, message }) => `${feed}: refused (${guard}): ${message}`);
}

/** From when on a list can be in force that is beside claims with an end; null: from now on. */
export function describeEarliest(conflictsEndMs: number | null): string[] {
  if (conflictsEndMs === null) return [];
  const end = timeText(conflictsEndMs);
  return [`  shares addresses with prefixes that end until ${end}: approve with --from ${end} or a later time`];
}

/** What of a list is not used, a line each. */
export function describeNotes(notes: readonly string[]): string[] {
  return notes.map((note) => `  note: ${note}`);
}

export function print(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

export function printFaults(lines: readonly string[]): void {
  process.stderr.write(lines.map((line) => `${line}\n`).join(''));
}
