import type { Command } from 'commander';
import { auditJournal } from '../../assurance/audit/audit.ts';
import { auditAccounts } from '../../assurance/audit/audit-accounts.ts';
import { auditCampaigns } from '../../assurance/audit/audit-campaigns.ts';
import { CorrectionAudit, type CorrectionsComputed } from '../../assurance/audit/audit-corrections.ts';
import { auditDuplicates } from '../../assurance/audit/audit-duplicates.ts';
import { auditFacts } from '../../assurance/audit/audit-facts.ts';
import { auditQuotas } from '../../assurance/audit/audit-quotas.ts';
import { auditSource } from '../../assurance/audit/audit-source.ts';
import { type AuditFault, INVARIANTS, type Invariant } from '../../assurance/audit/invariants.ts';
import { quotaUpdateSchema } from '../../engine/assembly/assemble-source.ts';
import { connect, requireBrokers } from '../../engine/assembly/kafka-connection.ts';
import {
  type ConfigOptions,
  readSourceConfig,
  readStoreConfig,
  withSourceOptions,
} from '../../engine/assembly/read-config.ts';
import { writeAuditMetrics } from '../../engine/metrics/audit-metrics.ts';
import { readSourceAgain } from '../../engine/read-again/read-source-again.ts';
import { walkBatches } from '../../engine/read-again/walk-batches.ts';
import { loadKeyOf } from '../../engine/running/load-key.ts';
import { recordRules } from '../../engine/running/record-rules.ts';
import { ClickHouseEvidence } from '../../journal/evidence/clickhouse-evidence.ts';
import type { BatchRow, WalkedBatch } from '../../journal/evidence/evidence.ts';
import { openStore } from '../../journal/open-store.ts';
import { readQuotaFile, readQuotaState } from '../../journal/read-quota-state.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import type { Config } from '../../platform/config/config.ts';
import { createLogger, type Logger } from '../../platform/telemetry/logger.ts';
import { counted, grouped, Progress } from '../../platform/telemetry/terminal-output.ts';
import type { QuotaUpdate } from '../../rating/quota-updates.ts';

const SHOWN_FAULTS = 20;
const OF_THE_JOURNAL: readonly Invariant[] = [
  'chain',
  'counts',
  'digest',
  'strays',
  'facts',
  'corrections',
  'campaigns',
  'duplicates',
  'accounts',
];
const OF_THE_RECORDS: readonly Invariant[] = ['source', 'charges', 'corrected_charges'];

/** Batches with records, and how many of them the source could still be asked about. */
interface ReadAgain {
  walked: number;
  withRecords: number;
  /** Records of subscribers who were erased since. */
  ofErased: number;
  corrected: CorrectionsComputed;
}

type AuditOptions = ConfigOptions & { againstSource?: boolean; metricsFile?: string };

export function registerAudit(program: Command): void {
  withSourceOptions(program.command('audit'))
    .description('check the journal and finance’s postings against their invariants; exit code 1 when one is broken')
    .option(
      '--against-source',
      'read the source once more and compute every charge again, also those of corrections (implied by --source)',
    )
    .option('--metrics-file <file>', 'write what was found for Prometheus, as a textfile collector reads it (*.prom)')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate audit --store ./zerorate-data
  $ zerorate audit --store ./zerorate-data --source flows.ndjson
  $ zerorate audit --config zerorate.yaml --against-source
  $ zerorate audit --config zerorate.yaml --metrics-file /var/lib/node_exporter/zerorate_audit.prom

Against a source it wants a journal at rest: what an engine books meanwhile may be reported as missing.`,
    )
    .action(audit);
}

async function audit(options: AuditOptions): Promise<void> {
  const isAgainstSource = options.againstSource === true || options.source !== undefined;
  const config = isAgainstSource ? readSourceConfig(options) : null;
  const logger = createLogger(config?.log ?? { level: 'info', format: 'json' });
  const progress = new Progress(process.stderr, (fields, message) => logger.info(fields, message));
  const store = await openStore(config?.store ?? readStoreConfig(options), { create: false });
  const found = new Map<Invariant, number>();
  const report = async (faults: AsyncIterable<AuditFault>) => {
    for await (const fault of faults) reportFault(fault, found);
  };
  const evidence = new ClickHouseEvidence(store);
  try {
    const batches = await evidence.batches();
    await report(
      auditJournal(evidence, (audited) =>
        progress.report({ label: 'auditing batches', records: audited, fraction: audited / batches.length }),
      ),
    );
    await report(auditFacts(store));
    await report(auditCampaigns(store));
    await report(auditDuplicates(store));
    await report(auditAccounts(evidence));
    const read =
      config === null ? null : await againstSource(config, store, evidence, batches, logger, progress, report);
    progress.end();
    const checked = config === null ? OF_THE_JOURNAL : (Object.keys(INVARIANTS) as Invariant[]);
    const isUnread = read !== null && read.walked === 0 && read.withRecords > 0;
    for (const invariant of checked) {
      const holds = isUnread && OF_THE_RECORDS.includes(invariant) ? 'unread' : 'holds ';
      const verdict = (found.get(invariant) ?? 0) === 0 ? holds : 'BROKEN';
      process.stdout.write(`${verdict}  ${invariant.padEnd(11)} ${INVARIANTS[invariant]}\n`);
    }
    process.stdout.write(
      `${counted(batches.length, 'batch', 'batches')} audited${read === null ? '' : `; ${inWords(read)}`}\n`,
    );
    if (options.metricsFile !== undefined) {
      const faults = new Map(checked.map((invariant) => [invariant, found.get(invariant) ?? 0]));
      await writeAuditMetrics(options.metricsFile, { faults, batches: batches.length });
    }
    // Who asked for the source must not take silence for an answer.
    if (isUnread) process.exitCode = 1;
  } finally {
    progress.end();
    await store.close();
  }
  if (found.size > 0) process.exitCode = 1;
}

async function againstSource(
  config: Config,
  store: Store,
  evidence: ClickHouseEvidence,
  batches: readonly BatchRow[],
  logger: Logger,
  progress: Progress,
  report: (faults: AsyncIterable<AuditFault>) => Promise<void>,
): Promise<ReadAgain> {
  const again = await readSourceAgain(config, store, logger);
  const { key } = await loadKeyOf(store, config, logger);
  let ofErased = 0;
  const corrections = new CorrectionAudit(store, evidence, key);
  const settings = {
    pseudonymKey: key,
    duplicateWindowRecords: config.duplicates.windowRecords,
    recordRules: recordRules(config),
    rejectionPayloadBytes: config.limits.rejectionPayloadBytes,
    onErased: (records: number) => {
      ofErased += records;
    },
    corrections,
  };
  const withRecords = batches.filter(({ gapReason }) => gapReason === '').length;
  let walked = 0;
  async function* counted(walk: AsyncIterable<WalkedBatch>): AsyncGenerator<WalkedBatch> {
    for await (const batch of walk) {
      walked++;
      progress.report({ label: 'computing batches again', records: walked, fraction: walked / withRecords });
      yield batch;
    }
  }
  try {
    await report(auditSource(evidence, counted(walkBatches(again.readable(batches), again.open)), settings));
  } finally {
    await again.close();
  }
  const catalogues = await Promise.all(
    [...new Set(batches.map(({ catalogueHash }) => catalogueHash))].map((hash) => evidence.catalogue(hash)),
  );
  for (const state of await quotaStates(config, logger)) await report(auditQuotas(evidence, state, catalogues));
  return { walked, withRecords, ofErased, corrected: corrections.result() };
}

function inWords({ walked, withRecords, ofErased, corrected }: ReadAgain): string {
  const gone = withRecords - walked;
  const missing = gone === 0 ? '' : `, which has no records of ${grouped(gone)}`;
  const erased =
    ofErased === 0
      ? ''
      : `\n${grouped(ofErased)} records are of erased subscribers: their amounts and counters were computed again, and whose ` +
        'they are is taken from the journal, as it can no longer be computed';
  return [`${grouped(walked)} computed again from the source${missing}${erased}`, ...correctedInWords(corrected)].join(
    '\n',
  );
}

/** What of corrections was compared, and what was not. */
function correctedInWords({ corrections, records, withoutEnds, lost, ofErased }: CorrectionsComputed): string[] {
  if (corrections === 0) return [];
  return [
    `${counted(corrections, 'correction')} computed again: ${counted(records, 'record')} rated`,
    ...lost.map(
      ({ number, lane, fromLaneSequence }) =>
        `correction ${number}: the source has no records of batch ${lane}@${fromLaneSequence}: nothing of this lane is compared from there on`,
    ),
    ...(withoutEnds.length === 0
      ? []
      : [
          `corrections of an earlier version, which do not say how far they read, are compared in each lane up to the last record that they change: ${withoutEnds.join(', ')}`,
        ]),
    ...(ofErased === 0
      ? []
      : [
          `${counted(ofErased, 'unsponsored record')} of erased subscribers would have a charge by a correction, and nothing has their pseudonym: not compared`,
        ]),
  ];
}

function reportFault({ invariant, lane, laneSequence, message }: AuditFault, found: Map<Invariant, number>): void {
  const count = (found.get(invariant) ?? 0) + 1;
  found.set(invariant, count);
  const place = lane === '' ? '' : `${lane}@${laneSequence}: `;
  if (count <= SHOWN_FAULTS) process.stdout.write(`${invariant}: ${place}${message}\n`);
}

/** What consumers of the configured quota updates end with: one that keeps the last of each key, one that keeps the newest. */
async function quotaStates(
  { source, quotaUpdates }: Config,
  logger: Logger,
): Promise<ReadonlyMap<string, QuotaUpdate>[]> {
  const { topic, file } = quotaUpdates;
  if (file !== undefined) {
    const { byVersion } = await readQuotaFile(file);
    return [byVersion];
  }
  if (source.kafka === undefined) return [];
  await requireBrokers(source.kafka, topic);
  const kafka = connect(source.kafka, logger);
  const { byCompaction, byVersion } = await readQuotaState({ kafka, topic, schema: quotaUpdateSchema() });
  return [byCompaction, byVersion];
}
