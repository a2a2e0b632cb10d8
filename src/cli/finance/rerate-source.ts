import { HAD_CHARGE, rollUp } from '../../finance/corrections/difference.ts';
import type { LeftOut, UsageCount } from '../../finance/corrections/rerate-from-source.ts';
import type { SponsorLine } from '../../finance/corrections/what-if.ts';
import { exactUnits } from '../../finance/shown-money.ts';
import { counted, formatTable, grouped } from '../../platform/telemetry/terminal-output.ts';
import { EVIDENCES } from '../../rating/flow-record.ts';

/** Returns one line of all records that had no charge, for each evidence that names their application. */
function newlySponsored(lines: readonly SponsorLine[]): SponsorLine[] {
  return rollUp(
    lines.filter(({ newlyBy }) => newlyBy !== HAD_CHARGE),
    ({ newlyBy }) => String(newlyBy),
  ).sort((a, b) => a.newlyBy - b.newlyBy);
}

/** Returns the newly sponsored records as a table by evidence, with a title; null where there are none. */
export function newlySponsoredTable(lines: readonly SponsorLine[]): string | null {
  const newly = newlySponsored(lines);
  if (newly.length === 0) return null;
  const total = rollUp(newly, () => '').map((line) => ({ evidence: 'total', line }));
  const rows = [...newly.map((line) => ({ evidence: EVIDENCES[line.newlyBy] as string, line })), ...total];
  const table = formatTable(rows, [
    { title: 'evidence', cell: ({ evidence }) => evidence },
    { title: 'records', cell: ({ line: { after } }) => grouped(after.records), right: true },
    {
      title: 'octets',
      cell: ({ line: { after } }) => grouped(after.sponsoredOctets + after.subscriberOctets),
      right: true,
    },
    { title: 'sponsored octets', cell: ({ line: { after } }) => grouped(after.sponsoredOctets), right: true },
    { title: 'charge', cell: ({ line: { after } }) => exactUnits(after.chargeMicros), right: true },
    { title: '', cell: ({ line }) => line.currency },
  ]);
  return `newly sponsored, had no charge before:\n${table}`;
}

/** Returns what JSON has of a re-rating from the source besides its lines. Sums are texts: they may pass what a JSON number can hold. */
export function sourceJson(lines: readonly SponsorLine[], leftOut: LeftOut): object {
  const count = ({ records, octets }: UsageCount) => ({ records: String(records), octets: String(octets) });
  return {
    newlySponsored: newlySponsored(lines).map(({ newlyBy, currency, after }) => ({
      evidence: EVIDENCES[newlyBy],
      currency,
      records: String(after.records),
      octets: String(after.sponsoredOctets + after.subscriberOctets),
      sponsoredOctets: String(after.sponsoredOctets),
      chargeMicros: String(after.chargeMicros),
    })),
    leftOut: {
      conflicting: Object.fromEntries([...leftOut.otherSponsors].sort().map(([id, of]) => [id, count(of)])),
      erasedSubscribers: count(leftOut.nameless),
      outOfRange: count(leftOut.outOfRange),
      recycledRecords: leftOut.recycledRecords,
      otherLanes: leftOut.otherLanes,
    },
  };
}

/** Returns a sentence for each kind of records that the catalogue sponsors and that are not charged nevertheless. */
export function leftOutTexts({ otherSponsors, nameless, outOfRange, recycledRecords, otherLanes }: LeftOut): string[] {
  const usage = ({ records, octets }: UsageCount) => `${counted(records, 'record')} (${counted(octets, 'octet')})`;
  return [
    ...[...otherSponsors]
      .sort()
      .map(
        ([id, of]) => `conflicting: ${usage(of)} would be sponsored, and ${id} is charged for them: they stay ${id}’s`,
      ),
    ...(nameless.records === 0
      ? []
      : [
          `${usage(nameless)} of erased subscribers would be sponsored, and stay unsponsored: the journal does not have their pseudonym there`,
        ]),
    ...(outOfRange.records === 0
      ? []
      : [
          `WARNING: ${usage(outOfRange)} would be sponsored and are left out: their periods begin outside of --from and --to`,
        ]),
    ...(recycledRecords === 0
      ? []
      : [
          `${counted(recycledRecords, 'unsponsored record')} of recyclings cannot be read again: they are in no source, and stay unsponsored`,
        ]),
    ...(otherLanes.length === 0
      ? []
      : [`not of this source, and left as booked: ${counted(otherLanes.length, 'lane')} (${otherLanes.join(', ')})`]),
  ];
}
