import { readFileSync } from 'node:fs';
import { memorySource, PSEUDONYM_KEY, runEngine } from '../../src/engine/engine.fixture.ts';
import { encodeGeneratedJson } from '../../src/generator/encode-text.ts';
import { generateRecords } from '../../src/generator/generate-records.ts';
import type { Store } from '../../src/platform/clickhouse/store.ts';
import { LogRecord } from '../../src/platform/kafka/log-record.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { parseCatalogue } from '../../src/rating/catalogue/catalogue-compile.ts';
import { PLAIN_RULES } from '../../src/rating/record/record-limits.ts';

const MONTHS = [
  { seed: 41, startTimeMs: Date.UTC(2026, 8, 1), endTimeMs: Date.UTC(2026, 9, 1), topic: 'flows-41', share: 1 },
  { seed: 42, startTimeMs: Date.UTC(2026, 9, 1), endTimeMs: Date.UTC(2026, 10, 1), topic: 'flows-42', share: 1 },
  // The producer has sent the first month's beginning to another topic, too.
  {
    seed: 41,
    startTimeMs: Date.UTC(2026, 8, 1),
    endTimeMs: Date.UTC(2026, 9, 1),
    topic: 'flows-41-again',
    share: 0.005,
  },
];
/** The first month's beginning, which the producer has sent to another topic, too. */
const AGAIN = { ...MONTHS[0], topic: 'flows-41-again', share: 0.005 };
const RECORDS_PER_MONTH = 4000;
const HOUR_MS = 3_600_000;

/**
 * Two months of the demo catalogue's sponsors, booked by the engine as from a Kafka topic: malformed, late, repeated and
 * missing records among them, account entries, a correction, a closed month. The same every time.
 */
export async function bookTwoMonths(store: Store): Promise<void> {
  await book(store, MONTHS);
  for (const sql of FINANCE) await store.command(sql);
}

/** Charges records of the first month a second time. */
export async function bookAgain(store: Store): Promise<void> {
  await book(store, [AGAIN]);
}

async function book(store: Store, months: readonly (typeof MONTHS)[number][]): Promise<void> {
  const path = packagePath('fixtures/demo/catalogue.yaml');
  const { catalogue } = parseCatalogue(readFileSync(path, 'utf8'), path);
  if (catalogue === undefined) throw new Error(`${path} has faults`);
  for (const { seed, startTimeMs, endTimeMs, topic, share } of months) {
    const generated = generateRecords({
      seed,
      records: RECORDS_PER_MONTH,
      subscribers: 60,
      targets: catalogue.applications,
      startTimeMs,
      endTimeMs,
      malformed: 0.01,
      duplicate: 0.01,
      conflicting: 0.002,
      late: 0.01,
      gaps: 0.002,
    });
    const stepMs = (endTimeMs - startTimeMs) / RECORDS_PER_MONTH;
    const records = [...generated].slice(0, RECORDS_PER_MONTH * share).map((record, offset) =>
      LogRecord.of({
        offset,
        timestampMs: startTimeMs + Math.floor(offset * stepMs) + HOUR_MS,
        key: Buffer.from(record.kind === 'malformed' ? record.key : record.record.servedMsisdn),
        value: Buffer.from(encodeGeneratedJson(record)),
      }),
    );
    const log = { topic, partition: 0, lane: `${topic}-0` };
    await runEngine({
      store,
      catalogue,
      source: memorySource(log, records, 500),
      settings: {
        maxRecords: 200,
        maxBytes: 1 << 24,
        maxDelayMs: 10_000,
        rejectionPayloadBytes: 4096,
        recordRules: PLAIN_RULES,
        duplicateWindowRecords: 100_000,
        pseudonymKey: PSEUDONYM_KEY,
        acceptGaps: false,
      },
    });
  }
}

const ENTRY =
  'INSERT INTO account_entries (number, idempotency_key, sponsor_id, currency, kind, amount_micros, effective_at, who, why)';

/** Lumen's charges of September as a correction books them: name, who and when are in its head row alone. */
function rerated(kind: 'reversal' | 'charge', sign: '' | '-', chargeMicros: string): string {
  return `INSERT INTO corrections (kind, number, booking_date, is_adjustment, topic, partition, offset, sponsor_id, application_id, plan_id, plan_version, period_start, subscriber, evidence,
      content_type, start_time, reason, sponsored_octets, subscriber_octets, charge_micros, currency, used_octets_after)
    SELECT '${kind}', 1, '2026-10-05', true, topic, partition, offset, sponsor_id, application_id, plan_id, plan_version,
      period_start, subscriber, evidence, content_type, start_time, reason, ${sign}sponsored_octets, ${sign}subscriber_octets,
      ${chargeMicros}, currency, used_octets_after
    FROM bookings WHERE origin = 'charge' AND sponsor_id = 'lumen' AND month = '2026-09-01'`;
}

const FINANCE = [
  `${ENTRY} SELECT 1, 'entry-1', 'chatter', 'USD', 'top-up', 5000000, '2026-09-01 00:00:00', 'billing', 'first payment'`,
  `${ENTRY} SELECT 2, 'entry-2', 'lumen', 'JPY', 'payment', 9000000000, '2026-09-03 00:00:00', 'billing', 'invoice 2026-08'`,
  `${ENTRY} SELECT 3, 'entry-3', 'pigeon', 'KWD', 'suspension', 0, '2026-10-20 00:00:00', 'watcher', 'credit limit passed'`,
  `${ENTRY} SELECT 4, 'entry-4', 'pigeon', 'KWD', 'resumption', 0, '2026-10-21 00:00:00', 'billing', 'paid by hand'`,
  // Lumen's September was charged a tenth too much.
  `INSERT INTO corrections (kind, number, correction, booking_date, booked_at, who, why, sponsor_id)
    SELECT 'head', 1, 'lumen-september', '2026-10-05', '2026-10-05 10:00:00', 'rates', 'wrong price in September', 'lumen'`,
  rerated('reversal', '-', '-charge_micros'),
  rerated('charge', '', 'intDiv(charge_micros * 9, 10)'),
  `INSERT INTO closings (number, sponsor_id, month, closed_at, who, currency, cursors, last_entry, records, sponsored_octets,
      charge_micros, credit_micros, flat_fee_micros, volume_rebate_micros, shortfall_micros, taxable_micros, amount_due_micros, closing_micros)
    SELECT 1, 'chatter', '2026-09-01', '2026-10-03 08:00:00', 'billing', 'USD', [('flows-41', 0, ${RECORDS_PER_MONTH - 1})], 1,
      sum(records), sum(sponsored_octets), sum(charge_micros) AS charged, 5000000, 2000000, 300000, 700000, charged + 2400000, greatest(0, charged - 2600000), 2600000 - charged
    FROM booking_totals WHERE sponsor_id = 'chatter' AND month = '2026-09-01'`,
];
