import type { Store } from '../../platform/clickhouse/store.ts';
import type { CampaignFacts } from '../../rating/campaigns/campaigns.ts';
import type { LastClosing } from '../../rating/catalogue/closed-periods.ts';
import type { GapReason } from '../block-rows.ts';
import { CampaignFactReader } from '../campaign-facts.ts';
import { JournalReader } from '../clickhouse-journal.ts';
import { BATCH_NUMBERS } from '../journal-block.ts';
import { readKeptCatalogue } from '../kept-catalogues.ts';
import { readLastClosings } from '../last-closings.ts';
import { readRowBinary } from '../row-binary.ts';
import type { BatchRow, JournalEvidence, LaneState, NewestCounter, SplitAccount, StoredBatch } from './evidence.ts';
import { StoredBatches } from './stored-batches.ts';

/** A journal in ClickHouse for its checks, as of the first call of `batches`. */
export class ClickHouseEvidence implements JournalEvidence {
  readonly #store: Store;
  readonly #reader: JournalReader;
  readonly #stored: StoredBatches;
  readonly #campaignFacts: CampaignFactReader;
  #batches: Promise<BatchRow[]> | null = null;

  constructor(store: Store) {
    this.#store = store;
    this.#reader = new JournalReader(store);
    this.#stored = new StoredBatches(store);
    this.#campaignFacts = new CampaignFactReader(store);
  }

  /** Reads the batches once: a second caller gets the same batches, by which their rows are looked up. */
  batches(): Promise<BatchRow[]> {
    this.#batches ??= this.#readBatches();
    return this.#batches;
  }

  async #readBatches(): Promise<BatchRow[]> {
    const rows = await this.#store.query<Record<string, string | number>>(
      `SELECT lane, topic, partition, offset, toUInt16(booking_date) AS booking_day, ` +
        'toUInt16(chained_on) AS chained_day, catalogue_hash, digest, gap_reason, source_proof, ' +
        `${BATCH_NUMBERS.join(', ')} FROM journal WHERE kind = 'batch' ORDER BY lane, lane_sequence`,
    );
    const batches = rows.map((row) => ({
      lane: String(row.lane),
      topic: String(row.topic),
      partition: Number(row.partition),
      lastOffset: Number(row.offset),
      bookingDay: Number(row.booking_day),
      chainedDay: Number(row.chained_day),
      catalogueHash: String(row.catalogue_hash),
      digest: String(row.digest),
      gapReason: String(row.gap_reason) as GapReason | '',
      sourceProof: String(row.source_proof),
      numbers: Object.fromEntries(BATCH_NUMBERS.map((name) => [name, Number(row[name])])),
    }));
    this.#stored.expect(batches);
    return batches;
  }

  stored(batch: BatchRow): Promise<StoredBatch> {
    return this.#stored.of(batch);
  }

  async rowCount(): Promise<number> {
    const [{ stored }] = await this.#store.query(`SELECT count() AS stored FROM journal WHERE kind != 'batch'`);
    return Number(stored);
  }

  catalogue(hash: string): Promise<string> {
    return readKeptCatalogue(this.#store, hash);
  }

  async suspendedAsOf(number: number): Promise<ReadonlySet<string>> {
    const rows = await this.#store.query<{ sponsor: string }>(
      `SELECT sponsor_id AS sponsor FROM suspensions WHERE number <= ${number} ` +
        'GROUP BY sponsor_id HAVING argMax(suspended, number)',
    );
    return new Set(rows.map(({ sponsor }) => sponsor));
  }

  async closedAsOf(number: number): Promise<ReadonlyMap<string, LastClosing>> {
    return (await readLastClosings(this.#store, `number <= ${number}`)).lastClosed;
  }

  campaignsAsOf(number: number): Promise<CampaignFacts> {
    return this.#campaignFacts.asOf(number);
  }

  stateBefore({ lane, numbers }: BatchRow, windowRecords: number): LaneState {
    const position = numbers.lane_position;
    return {
      counters: this.#reader.countersBefore(lane, numbers.lane_sequence),
      seen: this.#reader.seen(lane, Math.max(0, position - windowRecords), position),
    };
  }

  seenByEarlier({ lane, topic, numbers }: BatchRow): LaneState['seen'] {
    return this.#reader.seenByEarlier(lane, topic, numbers.lane_sequence);
  }

  async *newestCounters(): AsyncIterable<NewestCounter> {
    const newest = (id: string, of: string, from: string) =>
      `SELECT ${of}subscriber AS who, toString(${id}) AS plan, ` +
      `max((toUInt16(${of}period_start), ${of}used_octets_after)) AS newest ${from} GROUP BY who, plan, lane`;
    const stream = await this.#store.stream(
      'SELECT lower(hex(who)), plan, newest.1, newest.2 FROM (' +
        `${newest('plan_id', '', "FROM journal WHERE kind = 'charge'")} UNION ALL ` +
        `${newest('moved.quota_id', 'moved.', "FROM journal ARRAY JOIN further_quotas AS moved WHERE kind = 'batch'")}) ` +
        'FORMAT RowBinary',
    );
    yield* readRowBinary(stream, (reader) => ({
      subscriber: reader.text(),
      planId: reader.text(),
      periodStart: reader.uint16(),
      usedOctets: reader.uint64(),
    }));
  }

  async *splitAccounts(): AsyncIterable<SplitAccount> {
    // No alias has the name of a column: ClickHouse would put it in the column's place everywhere.
    const stream = await this.#store.stream(
      'SELECT lower(hex(who)), quota, day, arrayStringConcat(lanes, char(10)) FROM (' +
        'SELECT moved.subscriber AS who, toString(moved.quota_id) AS quota, toUInt16(moved.period_start) AS day, ' +
        "arraySort(groupUniqArray(toString(lane))) AS lanes FROM journal ARRAY JOIN further_quotas AS moved WHERE kind = 'batch' " +
        "AND endsWith(moved.quota_id, ':account') GROUP BY who, quota, day HAVING length(lanes) > 1) ORDER BY quota, day, who " +
        'FORMAT RowBinary',
    );
    yield* readRowBinary(stream, (reader) => ({
      holder: reader.text(),
      quotaId: reader.text(),
      periodStart: reader.uint16(),
      lanes: reader.text().split('\n'),
    }));
  }
}
