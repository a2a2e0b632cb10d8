import type { RunTotals } from '../../engine/engine.ts';
import { exactUnits } from '../../finance/shown-money.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import { counted, formatTable, grouped } from '../../platform/telemetry/terminal-output.ts';
import { REASONS } from '../../rating/outcome.ts';

/** One line about what a run booked. */
export function formatRun({ read, batches, records, keyMismatches }: RunTotals): string {
  const line =
    `${counted(read, 'record')} read in ${counted(batches, 'batch', 'batches')}: ${grouped(records.charged)} charged, ` +
    `${grouped(records.not_sponsored)} not sponsored, ${counted(records.duplicate, 'duplicate')}, ${grouped(records.rejected)} rejected`;
  if (keyMismatches === 0) return line;
  return `${line}\n${counted(keyMismatches, 'record')} ${keyMismatches === 1 ? 'was' : 'were'} not keyed by the MSISDN or account`;
}

interface Owed {
  sponsor: string;
  currency: string;
  records: number;
  sponsored: number;
  micros: number;
}

interface Unsponsored {
  outcome: string;
  reason: string;
  application: string;
  records: number;
  octets: number;
}

const CHARGED = REASONS.filter(({ outcome }) => outcome === 'charged').map(({ reason }) => `'${reason}'`);

/** The store's totals for a person: what each sponsor owes, and what was not charged and why. */
export async function reportRun(store: Store): Promise<string> {
  const owed = await store.query<Owed>(
    'SELECT sponsor_id AS sponsor, currency, count() AS records, sum(sponsored_octets) AS sponsored, ' +
      'sum(charge_micros) AS micros FROM charges GROUP BY sponsor, currency ORDER BY sponsor, currency',
  );
  const others = await store.query<Unsponsored>(
    'SELECT reason, application_id AS application, sum(records) AS records, sum(octets) AS octets FROM outcomes ' +
      `WHERE reason NOT IN (${CHARGED.join(', ')}) GROUP BY ALL ORDER BY records DESC, reason, application`,
  );
  return [
    'What each sponsor owes',
    owed.length === 0
      ? '(nothing yet)'
      : formatTable(owed, [
          { title: 'sponsor', cell: ({ sponsor }) => sponsor },
          { title: 'records', cell: ({ records }) => grouped(Number(records)), right: true },
          { title: 'sponsored octets', cell: ({ sponsored }) => grouped(Number(sponsored)), right: true },
          { title: 'charge', cell: ({ micros }) => exactUnits(BigInt(micros)), right: true },
          { title: '', cell: ({ currency }) => currency },
        ]),
    '',
    'What was not charged, and why',
    others.length === 0
      ? '(nothing)'
      : formatTable(others, [
          { title: 'reason', cell: ({ reason }) => reason },
          { title: 'application', cell: ({ application }) => application || '-' },
          { title: 'records', cell: ({ records }) => grouped(Number(records)), right: true },
          { title: 'octets', cell: ({ octets }) => grouped(Number(octets)), right: true },
          { title: 'meaning', cell: ({ reason }) => REASONS.find((entry) => entry.reason === reason)?.meaning ?? '' },
        ]),
  ].join('\n');
}
