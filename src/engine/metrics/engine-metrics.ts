import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { WatchedAccount } from '../../finance/accounts/credit-watcher.ts';
import type { BatchPlace } from '../../journal/block-rows.ts';
import { isFenced } from '../../platform/fenced.ts';
import { ENGINE_VERSION } from '../../platform/package-paths.ts';
import { BoundedLabel } from '../../platform/telemetry/metrics.ts';
import type { TopicPartition } from '../../rating/lane.ts';
import { OUTCOMES, outcomeOf, REASONS } from '../../rating/outcome.ts';
import { BATCH_STEPS } from '../batch-steps.ts';
import type { BookedBatch, EngineEvents, FailedBatch, PublishedUpdates } from '../book-batch.ts';
import type { SourceGap } from '../resume-offset.ts';

const RECORDS_OF_A_BATCH = [1, 10, 100, 1000, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000];
const SECONDS_OF_A_STEP = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** The metrics of an engine. They move once a batch, by the batch's summary; no label names a subscriber. */
export class EngineMetrics implements EngineEvents {
  /** Numbers of booked batches whose quota updates are in flight, or wait, by lane. */
  readonly #unpublished = new Map<string, Set<number>>();
  readonly #charges: ChargeMetrics;
  readonly #read: Counter;
  readonly #records: Counter<'outcome' | 'reason'>;
  readonly #octets: Counter<'outcome' | 'reason'>;
  readonly #batches: Counter<'outcome'>;
  readonly #batchRecords: Histogram;
  readonly #stepSeconds: Histogram<'step'>;
  readonly #published: Counter;
  readonly #publishFailures: Counter<'code'>;
  readonly #quotaUpdates: Counter;
  readonly #openCounters: Gauge<'lane'>;
  readonly #windowRecords: Gauge<'lane'>;
  readonly #keyMismatches: Counter;
  readonly #lostOffsets: Counter<'reason'>;
  readonly #lastBatch: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    const counter = <T extends string>(name: string, help: string, labelNames: T[] = []) =>
      new Counter<T>({ name: `zerorate_${name}`, help, labelNames, registers });
    const gauge = <T extends string>(name: string, help: string, labelNames: T[] = []) =>
      new Gauge<T>({ name: `zerorate_${name}`, help, labelNames, registers });
    const histogram = <T extends string>(name: string, help: string, buckets: number[], labelNames: T[] = []) =>
      new Histogram<T>({ name: `zerorate_${name}`, help, buckets, labelNames, registers });
    this.#charges = new ChargeMetrics(registry);
    this.#read = counter('records_read_total', 'records read and booked');
    this.#records = counter('records_total', 'records by outcome and its reason', ['outcome', 'reason']);
    this.#octets = counter('octets_total', 'uplink and downlink octets of records by outcome and its reason', [
      'outcome',
      'reason',
    ]);
    this.#batches = counter('batches_total', 'batches: booked, fenced by another engine, or failed', ['outcome']);
    this.#batchRecords = histogram('batch_records', 'records of a booked batch', RECORDS_OF_A_BATCH);
    this.#stepSeconds = histogram(
      'batch_step_seconds',
      'how long each step of a booked batch took',
      SECONDS_OF_A_STEP,
      ['step'],
    );
    this.#published = counter('published_batches_total', 'booked batches whose quota updates are published');
    const unpublished = this.#unpublished;
    new Gauge({
      name: 'zerorate_unpublished_batches',
      help: 'booked batches whose quota updates are still to be published',
      registers,
      collect() {
        this.set([...unpublished.values()].reduce((sum, { size }) => sum + size, 0));
      },
    });
    this.#publishFailures = counter('publish_failures_total', 'publications of quota updates that failed', ['code']);
    this.#quotaUpdates = counter('quota_updates_total', 'quota updates published');
    this.#openCounters = gauge('open_counters', 'quota counters in memory', ['lane']);
    this.#windowRecords = gauge('duplicate_window_records', 'records that the window of duplicates reaches back', [
      'lane',
    ]);
    this.#keyMismatches = counter(
      'key_mismatches_total',
      'records whose Kafka key is neither their MSISDN nor their account',
    );
    this.#lostOffsets = counter('lost_offsets_total', 'offsets booked as lost, because of --accept-gap', ['reason']);
    this.#lastBatch = gauge('last_batch_timestamp_seconds', 'when the last batch was booked, Unix time');
    gauge('engine_info', 'the program', ['version']).set({ version: ENGINE_VERSION }, 1);
    this.#beginAtZero();
  }

  /** Resets for a new engine: unpublished batches of the one before are read from the journal. */
  begin(): void {
    this.#unpublished.clear();
    this.#openCounters.reset();
    this.#windowRecords.reset();
  }

  /** What the lane's engine before had not published was derived from the journal, and is published. */
  onAssigned({ lane }: TopicPartition): void {
    this.#unpublished.delete(lane);
  }

  onReleased({ lane }: TopicPartition): void {
    this.#unpublished.delete(lane);
    this.#openCounters.remove({ lane });
    this.#windowRecords.remove({ lane });
  }

  onJournaled(place: BatchPlace): void {
    this.#batches.inc({ outcome: 'booked' });
    const { log, laneSequence } = place;
    const ofLane = this.#unpublished.get(log.lane) ?? new Set();
    this.#unpublished.set(log.lane, ofLane.add(laneSequence));
    this.#lastBatch.setToCurrentTime();
  }

  onBooked(booked: BookedBatch): void {
    const { place, durationMs, openCounters, windowRecords, keyMismatches } = booked;
    const { lane } = place.log;
    let read = 0;
    for (const outcome of OUTCOMES) read += booked.records[outcome];
    for (const { reasonCode, records, octets } of booked.counts) {
      const labels = { outcome: outcomeOf(reasonCode), reason: REASONS[reasonCode].reason };
      this.#records.inc(labels, records);
      this.#octets.inc(labels, octets);
    }
    this.#charges.add(booked);
    this.#read.inc(read);
    this.#batchRecords.observe(read);
    for (const step of BATCH_STEPS) {
      const ms = durationMs[step];
      if (ms !== undefined) this.#stepSeconds.observe({ step }, ms / 1000);
    }
    this.onPublished({ ...booked, lane });
    this.#openCounters.set({ lane }, openCounters);
    this.#windowRecords.set({ lane }, windowRecords);
    this.#keyMismatches.inc(keyMismatches);
  }

  onPublished({ lane, quotaUpdates, publishedThrough }: PublishedUpdates): void {
    this.#quotaUpdates.inc(quotaUpdates);
    const unpublished = this.#unpublished.get(lane) ?? new Set();
    for (const laneSequence of unpublished) {
      if (laneSequence <= publishedThrough && unpublished.delete(laneSequence)) this.#published.inc();
    }
  }

  onFailed({ place, stage, error }: FailedBatch): void {
    if (stage === 'book') {
      this.#batches.inc({ outcome: isFenced(error) ? 'fenced' : 'failed' });
      return;
    }
    // The lane's next owner derives all of them.
    this.#unpublished.delete(place.log.lane);
    const { code } = error as { code?: unknown };
    this.#publishFailures.inc({ code: typeof code === 'string' ? code : 'unknown' });
  }

  onGap({ reason, firstOffset, lastOffset }: SourceGap): void {
    this.#lostOffsets.inc({ reason }, lastOffset - firstOffset + 1);
  }

  /** Starts counters at 0, so that the first occurrence is a rise. */
  #beginAtZero(): void {
    for (const { outcome, reason } of REASONS) {
      this.#records.inc({ outcome, reason }, 0);
      this.#octets.inc({ outcome, reason }, 0);
    }
    for (const outcome of ['booked', 'fenced', 'failed']) this.#batches.inc({ outcome }, 0);
    for (const step of BATCH_STEPS) this.#stepSeconds.zero({ step });
    this.#publishFailures.inc({ code: 'claim_lost' }, 0);
    for (const reason of ['records_lost', 'topic_recreated']) this.#lostOffsets.inc({ reason }, 0);
  }
}

/** Most applications and sponsors with series of their own, in the catalogue's order. */
const NAMED = 200;

/** Booked records by application, and charges by sponsor: for monitoring only, the journal holds the money. */
class ChargeMetrics {
  readonly #records: Counter<'application' | 'outcome'>;
  readonly #micros: Counter<'sponsor' | 'currency'>;
  readonly #applications = new BoundedLabel(NAMED);
  readonly #sponsors = new BoundedLabel(NAMED);

  constructor(registry: Registry) {
    const registers = [registry];
    this.#records = new Counter({
      name: 'zerorate_application_records_total',
      help: 'records of a recognised application by outcome',
      labelNames: ['application', 'outcome'],
      registers,
    });
    this.#micros = new Counter({
      name: 'zerorate_charged_micros_total',
      help: "micro-units of the sponsor's currency charged by this process; accounts are in account_balances",
      labelNames: ['sponsor', 'currency'],
      registers,
    });
  }

  add({ counts }: Pick<BookedBatch, 'counts'>): void {
    for (const { application, reasonCode, records, chargeMicros } of counts) {
      if (application === null) continue;
      const { id, sponsorId, currency } = application;
      const outcome = outcomeOf(reasonCode);
      this.#records.inc({ application: this.#applications.of(id), outcome }, records);
      if (outcome !== 'charged') continue;
      this.#micros.inc({ sponsor: this.#sponsors.of(sponsorId), currency }, chargeMicros);
    }
  }
}

/** The error that the engine halted with, while it still answers. */
export class HaltMetrics {
  readonly #halted: Gauge<'code'>;

  constructor(registry: Registry) {
    this.#halted = new Gauge({
      name: 'zerorate_halted',
      help: '1 under the code of the error that ended the engine, while it still answers',
      labelNames: ['code'],
      registers: [registry],
    });
    this.#halted.set({ code: 'records_lost' }, 0);
    this.#halted.set({ code: 'topic_recreated' }, 0);
    this.#halted.set({ code: 'codec_unknown' }, 0);
  }

  halted(error: unknown): void {
    const { code } = error as { code?: unknown };
    this.#halted.set({ code: typeof code === 'string' ? code : 'unknown' }, 1);
  }
}

/** Balances, limits and suspensions of sponsors, as of the credit watcher's last check. */
export class SponsorMetrics {
  readonly #balance: Gauge<'sponsor' | 'currency'>;
  readonly #limit: Gauge<'sponsor' | 'currency'>;
  readonly #suspended: Gauge<'sponsor'>;

  constructor(registry: Registry) {
    const registers = [registry];
    const labelNames = ['sponsor', 'currency'] as const;
    this.#balance = new Gauge({
      name: 'zerorate_sponsor_balance_micros',
      help: 'credited minus charged, micro-units of the currency',
      labelNames,
      registers,
    });
    this.#limit = new Gauge({
      name: 'zerorate_sponsor_credit_limit_micros',
      help: 'how far below 0 the balance may be, micro-units of the currency',
      labelNames,
      registers,
    });
    this.#suspended = new Gauge({
      name: 'zerorate_sponsor_suspended',
      help: '1 while the sponsor is suspended, by the credit watcher or by hand',
      labelNames: ['sponsor'],
      registers,
    });
  }

  onLooked(accounts: readonly WatchedAccount[]): void {
    for (const gauge of [this.#balance, this.#limit, this.#suspended]) gauge.reset();
    for (const { sponsor, balanceMicros, suspendedBy } of accounts.slice(0, NAMED)) {
      const labels = { sponsor: sponsor.id, currency: sponsor.currency };
      this.#balance.set(labels, Number(balanceMicros));
      this.#limit.set(labels, sponsor.creditLimitMicros);
      this.#suspended.set({ sponsor: sponsor.id }, suspendedBy === 'none' ? 0 : 1);
    }
  }
}
