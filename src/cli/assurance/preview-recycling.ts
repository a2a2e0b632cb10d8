import { previewRecords, type RecordPreview } from '../../engine/preview-records.ts';
import { loadKeyOf } from '../../engine/running/load-key.ts';
import { recordRules, today } from '../../engine/running/record-rules.ts';
import { type CorrectedRecord, type LineFault, recordPlaceOf } from '../../finance/corrections/corrected-records.ts';
import type { RecycledLog, RecyclingPlan } from '../../finance/corrections/recyclings.ts';
import { exactUnits } from '../../finance/shown-money.ts';
import { ClickHouseJournal } from '../../journal/clickhouse-journal.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import type { Config } from '../../platform/config/config.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { counted, formatTable, grouped } from '../../platform/telemetry/terminal-output.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import { decodeJson } from '../../rating/decode/decode-json.ts';
import { Rules } from '../../rating/rules.ts';
import { bookedAlready } from './booked-already.ts';

/** A corrected record, what it would become, and of which record it is a repetition; empty: of none. */
export interface CorrectedPreview extends RecordPreview {
  record: CorrectedRecord;
  repeats: string;
  /** It repeats a record whose charge was reversed: it would be booked, and charged to no sponsor. */
  isLost: boolean;
}

/** What each record of a plan that is not booked yet would become, with the facts and the counters of now. Books nothing. */
export async function previewRecycling(
  { config, catalogue, store, logger }: { config: Config; catalogue: Catalogue; store: Store; logger: Logger },
  { known, next }: RecyclingPlan,
): Promise<CorrectedPreview[]> {
  const journal = new ClickHouseJournal(store);
  const { key } = await loadKeyOf(store, config, logger);
  const duplicateWindowRecords = config.duplicates.windowRecords;
  const logs = [...known, ...(next === null ? [] : [next])].flatMap((recycling) => recycling.logs);
  const previews = await previewRecords(journal, logs, {
    rules: new Rules(catalogue, await journal.facts()),
    decode: decodeJson,
    pseudonymKey: key,
    duplicateWindowRecords,
    recordRules: recordRules(config),
    today: today(),
  });
  const records = recordsByPlace(logs);
  const firstOfFile = new Map<string, number>();
  const corrected: CorrectedPreview[] = [];
  for (const preview of previews) {
    const record = records.get(recordPlaceOf(preview)) as CorrectedRecord;
    const identity = `${preview.localSequenceNumber} ${preview.nodeId}`;
    const first = firstOfFile.get(identity);
    if (first === undefined) firstOfFile.set(identity, record.line);
    const isSeen = preview.reason === 'duplicate' || preview.reason === 'conflicting_duplicate';
    const booked = isSeen ? await bookedAlready(store, record.value, decodeJson, duplicateWindowRecords) : null;
    const repeats = booked?.text ?? (first === undefined ? '' : `line ${first} has the same identity`);
    const isLost = preview.reason === 'duplicate' && (booked?.reversedBy ?? null) !== null;
    corrected.push({ ...preview, record, repeats: isSeen ? repeats : '', isLost });
  }
  return corrected;
}

function recordsByPlace(logs: readonly RecycledLog[]): Map<string, CorrectedRecord> {
  return new Map(
    logs.flatMap(({ log, records }) =>
      records.map((record) => [recordPlaceOf({ ...log, offset: record.offset }), record]),
    ),
  );
}

/** The records that would be rejected again, or lost, by line. */
export function refusedFaults(previews: readonly CorrectedPreview[]): LineFault[] {
  return previews
    .filter(isRefused)
    .map(({ record, reason, detail, repeats, isLost }) => {
      const would = isLost ? LOST : `would be rejected again (${reason})`;
      const said = [detail, repeats].filter(Boolean).join('; ');
      return { line: record.line, message: `${recordPlaceOf(record)}: ${would}: ${said}; nothing was claimed` };
    })
    .sort((a, b) => a.line - b.line);
}

const LOST =
  'would be a duplicate of a record whose charge was reversed, so that no sponsor pays for it. Give it another nodeId, or wait until the ' +
  'window of duplicates has passed';

function isRefused({ outcome, isLost }: CorrectedPreview): boolean {
  return outcome === 'rejected' || isLost;
}

/** A line for each record that is a duplicate, with what of and where. */
export function repetitions(previews: readonly CorrectedPreview[]): string[] {
  return previews
    .filter(({ outcome }) => outcome === 'duplicate')
    .map(
      ({ record, repeats }) =>
        `line ${record.line}, ${recordPlaceOf(record)}: a duplicate, not charged again: ${repeats}`,
    );
}

/** What a recycling would do, for people. */
export function formatPreviews({ known, next }: RecyclingPlan, previews: readonly CorrectedPreview[]): string {
  const booked = known.map(({ number }) => number);
  const head = [
    ...(booked.length === 0 ? [] : [`claimed before as recycling ${booked.join(', ')}`]),
    ...(next === null ? [] : [`recycling ${next.number} would have ${counted(next.records.length, 'record')}`]),
  ].join('; ');
  const said = ({ detail, repeats }: CorrectedPreview) => [detail, repeats].filter(Boolean).join('; ');
  const rows = [...previews].sort((a, b) => a.record.line - b.record.line);
  const table = formatTable(rows, [
    { title: 'line', cell: ({ record }) => String(record.line), right: true },
    { title: 'rejection', cell: ({ record }) => recordPlaceOf(record) },
    { title: 'outcome', cell: ({ outcome }) => outcome.replace('_', ' ') },
    { title: 'reason', cell: ({ reason }) => reason },
    { title: 'application', cell: ({ applicationId }) => applicationId || '-' },
    { title: 'plan', cell: ({ planId, planVersion }) => (planId === '' ? '-' : `${planId} ${planVersion}`) },
    { title: 'sponsored octets', cell: ({ sponsoredOctets }) => grouped(sponsoredOctets), right: true },
    { title: 'charge', cell: ({ chargeMicros }) => exactUnits(BigInt(chargeMicros)), right: true },
    { title: '', cell: ({ currency }) => currency },
    { title: '', cell: said },
  ]);
  const refused = rows.filter(isRefused).length;
  const end =
    refused === 0
      ? 'nothing was booked: without --dry-run, and with --why, it is'
      : `nothing was booked, and nothing would be: ${counted(refused, 'record')} would be rejected again or lost`;
  return [head, ...(rows.length === 0 ? ['every record is booked already'] : [table]), end].join('\n');
}
