import type {
  BatchRow,
  JournalEvidence,
  LaneState,
  NewestCounter,
  SplitAccount,
  StoredBatch,
} from '../../src/journal/evidence/evidence.ts';
import type { StoredRow } from '../../src/journal/evidence/stored-columns.ts';
import { bytesOf, int64Words, strings } from '../../src/platform/clickhouse/native-block.ts';
import type { CampaignFacts } from '../../src/rating/campaigns/campaigns.ts';
import type { LastClosing } from '../../src/rating/catalogue/closed-periods.ts';
import { NO_FACTS } from '../../src/rating/rules.ts';
import type { NativeRow } from './native-rows.ts';
import { counterColumns, identityColumns } from './restored-columns.ts';
import { countedOf, hex, type Part, type SimulatedJournal } from './simulated-journal.ts';

/** The simulated journal behind the interface for checks. */
export class SimulatedEvidence implements JournalEvidence {
  readonly #journal: SimulatedJournal;

  constructor(journal: SimulatedJournal) {
    this.#journal = journal;
  }

  async batches(): Promise<BatchRow[]> {
    return this.#journal.parts
      .map(({ lane, topic, partition, lastOffset, bookingDay, chainedDay, numbers, texts }) => ({
        lane,
        topic,
        partition,
        lastOffset,
        bookingDay,
        chainedDay,
        catalogueHash: texts.catalogue_hash,
        digest: texts.digest,
        gapReason: texts.gap_reason as BatchRow['gapReason'],
        sourceProof: texts.source_proof,
        numbers,
      }))
      .sort((a, b) => compare(a.lane, b.lane) || a.numbers.lane_sequence - b.numbers.lane_sequence);
  }

  async stored(batch: BatchRow): Promise<StoredBatch> {
    const { lane, topic, partition, lastOffset, numbers } = batch;
    const log = this.#journal.parts.filter(
      (part) => part.lane === lane && part.topic === topic && part.partition === partition,
    );
    const rows = log
      .flatMap((part) => part.rows)
      .filter(({ offset }) => Number(offset) >= numbers.first_offset && Number(offset) <= lastOffset)
      .sort((a, b) => Number(a.offset) - Number(b.offset) || Number(a.kind) - Number(b.kind));
    const lists = log
      .filter((part) => part.lastOffset === lastOffset && part.numbers.lane_sequence === numbers.lane_sequence)
      .flatMap(listsOf);
    return { rows: rows as unknown as StoredRow[], lists };
  }

  async rowCount(): Promise<number> {
    return this.#journal.parts.reduce((sum, { rows }) => sum + rows.length, 0);
  }

  async catalogue(hash: string): Promise<string> {
    const document = this.#journal.catalogues.get(hash);
    if (document === undefined) throw new Error(`the store has no catalogue ${hash}`);
    return document;
  }

  async suspendedAsOf(number: number): Promise<ReadonlySet<string>> {
    return this.#journal.suspendedAsOf(number);
  }

  async closedAsOf(number: number): Promise<ReadonlyMap<string, LastClosing>> {
    return this.#journal.closedAsOf(number);
  }

  async campaignsAsOf(): Promise<CampaignFacts> {
    return NO_FACTS.campaigns;
  }

  stateBefore({ lane, numbers }: BatchRow, windowRecords: number): LaneState {
    const position = numbers.lane_position;
    const isBefore = (part: Part) => part.lane === lane && part.numbers.lane_sequence < numbers.lane_sequence;
    const counters = this.#journal.countersOf(this.#journal.parts.filter(isBefore));
    const seen = this.#journal.seen(lane, Math.max(0, position - windowRecords), position);
    return { counters: each([counterColumns(counters)]), seen: each([identityColumns(seen)]) };
  }

  /** The simulation has no files. */
  seenByEarlier(): LaneState['seen'] {
    return each([]);
  }

  newestCounters(): AsyncIterable<NewestCounter> {
    const newest = new Map<string, NewestCounter>();
    for (const part of this.#journal.parts) {
      for (const row of countedOf(part)) {
        const counter = {
          subscriber: hex(row.subscriber as Uint8Array),
          planId: String(row.plan_id),
          periodStart: Number(row.period_start),
          usedOctets: Number(row.used_octets_after),
        };
        const key = `${part.lane} ${counter.subscriber} ${counter.planId}`;
        const known = newest.get(key) ?? counter;
        const isNewer = counter.periodStart - known.periodStart || counter.usedOctets - known.usedOctets;
        newest.set(key, isNewer > 0 ? counter : known);
      }
    }
    return each([...newest.values()]);
  }

  splitAccounts(): AsyncIterable<SplitAccount> {
    const found = new Map<string, { counter: Omit<SplitAccount, 'lanes'>; lanes: Set<string> }>();
    for (const { lane, furtherQuotas } of this.#journal.parts) {
      for (const row of furtherQuotas) {
        const counter = {
          holder: hex(row.subscriber as Uint8Array),
          quotaId: String(row.quota_id),
          periodStart: Number(row.period_start),
        };
        if (!counter.quotaId.endsWith(':account')) continue;
        const key = Object.values(counter).join(' ');
        const { lanes } = found.get(key) ?? { lanes: new Set<string>() };
        found.set(key, { counter, lanes: lanes.add(lane) });
      }
    }
    const split = [...found.values()].filter(({ lanes }) => lanes.size > 1);
    return each(split.map(({ counter, lanes }) => ({ ...counter, lanes: [...lanes].sort() })));
  }
}

async function* each<T>(items: readonly T[]): AsyncIterable<T> {
  yield* items;
}

/** Returns the batch row's encoded arrays, in the order of the digest. */
function listsOf({ outcomes, leakage, furtherQuotas, seenNodes, seen }: Part): Uint8Array[] {
  const texts = (rows: readonly NativeRow[], name: string) => strings(rows.map((row) => String(row[name])));
  const words = (rows: readonly NativeRow[], name: string) => bytesOf(int64Words(rows.map((row) => Number(row[name]))));
  const small = (name: 'row' | 'node' | 'fingerprint') => bytesOf(Uint32Array.from(seen, (identity) => identity[name]));
  return [
    texts(outcomes, 'application_id'),
    texts(outcomes, 'reason'),
    words(outcomes, 'records'),
    words(outcomes, 'octets'),
    strings(seenNodes),
    small('row'),
    small('node'),
    words(seen, 'sequence'),
    small('fingerprint'),
    ...['application_id', 'reason', 'prefix', 'tag', 'node_id'].map((name) => texts(leakage, name)),
    bytesOf(Uint16Array.from(leakage, ({ day }) => Number(day))),
    words(leakage, 'records'),
    words(leakage, 'octets'),
    Buffer.concat(furtherQuotas.map(({ subscriber }) => subscriber as Uint8Array)),
    texts(furtherQuotas, 'quota_id'),
    bytesOf(Uint32Array.from(furtherQuotas, (row) => Number(row.quota_version))),
    bytesOf(Uint16Array.from(furtherQuotas, (row) => Number(row.period_start))),
    words(furtherQuotas, 'used_octets_after'),
    words(furtherQuotas, 'offset'),
  ];
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
