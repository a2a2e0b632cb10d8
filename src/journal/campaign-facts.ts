import type { Store } from '../platform/clickhouse/store.ts';
import { AudienceChangeList } from '../rating/campaigns/audience.ts';
import {
  type CampaignFacts,
  type CampaignState,
  type ReachedThreshold,
  UNTOUCHED,
} from '../rating/campaigns/campaigns.ts';
import type { CapUnit, CapWindow } from '../rating/catalogue.ts';
import { NO_FACTS } from '../rating/rules.ts';
import { PSEUDONYM_OCTETS } from '../rating/subscribers.ts';
import { type RowBinaryReader, readRowBinary } from './row-binary.ts';

const CAMPAIGN_FACT_KINDS = [
  'pause',
  'resume',
  'funded',
  'unfunded',
  'threshold_reached',
  'cap_reached',
  'opt_in',
  'opt_out',
] as const;
export type CampaignFactKind = (typeof CAMPAIGN_FACT_KINDS)[number];

/** Facts that are kept for others to begin from: audits and replays go through the numbers once for each lane. */
const KEPT_FACTS = 16;

/**
 * Reads what was decided about campaigns. It keeps what it has read, so the next look reads only what was booked since: an audience
 * may have millions of subscribers.
 */
export class CampaignFactReader {
  readonly #store: Pick<Store, 'query' | 'stream'>;
  /** By number; the first has read nothing. */
  #kept: CampaignFacts[] = [NO_FACTS.campaigns];

  constructor(store: Pick<Store, 'query' | 'stream'>) {
    this.#store = store;
  }

  /** Returns the facts of now. Rejects with a StoreError. */
  async now(): Promise<CampaignFacts> {
    const [{ last }] = await this.#store.query<{ last: number }>('SELECT max(number) AS last FROM campaign_facts');
    return this.asOf(Number(last));
  }

  /** Returns the facts up to the one of this number. Rejects with a StoreError. */
  async asOf(number: number): Promise<CampaignFacts> {
    const at = this.#kept.findLastIndex((facts) => facts.number <= number);
    const before = this.#kept[at];
    if (before.number === number) return before;
    const facts = await this.#readOn(before, number);
    // A look that began at the same time may have kept it already.
    const others = this.#kept.filter((kept) => kept.number !== number);
    this.#kept = [...others, facts].sort((a, b) => a.number - b.number);
    if (this.#kept.length > KEPT_FACTS) this.#kept.splice(1, 1);
    return facts;
  }

  async #readOn(before: CampaignFacts, number: number): Promise<CampaignFacts> {
    const sql =
      'SELECT campaign_id, toUInt16(kind), subscriber, toString(cap_per), toString(cap_unit), cap_limit, ' +
      'toUInt16(window_start), basis_points FROM campaign_facts ' +
      `WHERE number > ${before.number} AND number <= ${number} ORDER BY number FORMAT RowBinary`;
    const growing = new Map<string, GrowingState>();
    const stateOf = (campaignId: string) => {
      const known = growing.get(campaignId);
      if (known !== undefined) return known;
      const grown = new GrowingState(before.states.get(campaignId) ?? UNTOUCHED);
      growing.set(campaignId, grown);
      return grown;
    };
    const rows = readRowBinary(await this.#store.stream(sql), (reader) => stateOf(reader.text()).takeRow(reader));
    for await (const take of rows) take();
    const states = new Map(before.states);
    for (const [campaignId, state] of growing) states.set(campaignId, state.state());
    return { states, number };
  }
}

/** A campaign's state while further facts are added to it. */
class GrowingState {
  readonly #before: CampaignState;
  readonly #changes = new AudienceChangeList();
  readonly #reached: ReachedThreshold[] = [];
  #isPaused: boolean;
  #isFunded: boolean;

  constructor(before: CampaignState) {
    this.#before = before;
    this.#isPaused = before.isPaused;
    this.#isFunded = before.isFunded;
  }

  /** Reads the rest of a row. Returns what adds it: a torn row is read again. */
  takeRow(reader: RowBinaryReader): () => void {
    const kind = CAMPAIGN_FACT_KINDS[reader.uint16() - 1];
    const subscriber = reader.octets(PSEUDONYM_OCTETS);
    const cap = {
      per: reader.text() as CapWindow,
      unit: reader.text() as CapUnit,
      limit: reader.uint64(),
      windowStart: reader.uint16(),
      basisPoints: reader.uint16(),
    };
    return () => this.#take(kind, subscriber, cap);
  }

  #take(kind: CampaignFactKind, subscriber: Uint8Array, cap: ReachedThreshold): void {
    if (kind === 'opt_in' || kind === 'opt_out') this.#changes.addOctets(subscriber, kind === 'opt_in');
    else if (kind === 'pause' || kind === 'resume') this.#isPaused = kind === 'pause';
    else if (kind === 'funded' || kind === 'unfunded') this.#isFunded = kind === 'funded';
    // A cap is its own last threshold.
    else this.#reached.push(kind === 'cap_reached' ? { ...cap, basisPoints: WHOLE_CAP } : cap);
  }

  state(): CampaignState {
    const { audience, reached, thresholds } = this.#before;
    const isWhole = ({ basisPoints }: ReachedThreshold) => basisPoints === WHOLE_CAP;
    return {
      isPaused: this.#isPaused,
      isFunded: this.#isFunded,
      reached: [...reached, ...this.#reached.filter(isWhole)],
      thresholds: [...thresholds, ...this.#reached.filter((cap) => !isWhole(cap))],
      audience: this.#changes.count === 0 ? audience : audience.with(this.#changes),
    };
  }
}

/** No threshold has these basis points. */
const WHOLE_CAP = 0;
