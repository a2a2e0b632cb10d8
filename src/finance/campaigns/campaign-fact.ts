import type { CampaignFactKind } from '../../journal/campaign-facts.ts';
import type { RetryPolicy } from '../../journal/journal.ts';
import { TIME } from '../../journal/journal-block.ts';
import {
  fixedColumn,
  int64Column,
  lowCardinalityColumn,
  type NativeColumn,
} from '../../platform/clickhouse/native-block.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import type { Clock } from '../../platform/clock.ts';
import type { AudienceChanges } from '../../rating/campaigns/audience.ts';
import type { ReachedThreshold } from '../../rating/campaigns/campaigns.ts';
import { PSEUDONYM_OCTETS, PSEUDONYM_WORDS } from '../../rating/subscribers.ts';
import { bookFact } from '../book-fact.ts';

/** A share of a cap that was reached, and what was used by then: octets or micro-units. */
export type CapFact = ReachedThreshold & { used: bigint };

/** A fact about a campaign. */
export interface CampaignFact {
  /** Of an audience change: what its rows say. */
  kind: CampaignFactKind | 'audience';
  campaignId: string;
  idempotencyKey: string;
  who: string;
  why: string;
  /** Of a threshold or a cap. */
  cap?: CapFact;
  /** Of an audience change, each subscriber once. */
  subscribers?: AudienceChanges;
}

const KINDS: Readonly<Record<CampaignFactKind, number>> = {
  pause: 1,
  resume: 2,
  funded: 3,
  unfunded: 4,
  threshold_reached: 5,
  cap_reached: 6,
  opt_in: 7,
  opt_out: 8,
};
const PER = { day: 1, period: 2, whole: 3 };
const UNIT = { octets: 1, money: 2 };

/** Books a fact under this number or not at all. Rejects with a StoreError. */
export function bookCampaignFact(
  store: Store,
  fact: CampaignFact,
  number: number,
  clock: Pick<Clock, 'nowMs' | 'monotonicMs' | 'sleep'>,
  retry?: RetryPolicy,
): Promise<'booked' | 'fenced'> {
  const rows = fact.subscribers?.count ?? 1;
  const bookedAtMs = clock.nowMs();
  const key = literal(fact.idempotencyKey);
  const own = [
    `number = ${number}`,
    `idempotency_key = ${key}`,
    `campaign_id = ${literal(fact.campaignId)}`,
    `who = ${literal(fact.who)}`,
    `why = ${literal(fact.why)}`,
    `toUnixTimestamp64Milli(booked_at) = ${bookedAtMs}`,
    fact.kind === 'audience' ? "kind IN ('opt_in', 'opt_out')" : `kind = ${literal(fact.kind)}`,
  ];
  return bookFact(
    store,
    {
      table: 'campaign_facts',
      number,
      columns: columnsOf(fact, number, bookedAtMs, rows),
      rows,
      guard: `(SELECT count() FROM campaign_facts WHERE idempotency_key = ${key}) > 0`,
      // Keys of audience changes say whom they change: of two writers of one fact each finds its own.
      async isOurs() {
        return (await store.query(`SELECT 1 FROM campaign_facts WHERE ${own.join(' AND ')} LIMIT 1`)).length > 0;
      },
    },
    retry,
    clock,
  );
}

function columnsOf(
  { kind, cap, subscribers, ...fact }: CampaignFact,
  number: number,
  nowMs: number,
  rows: number,
): NativeColumn[] {
  const same = (name: string, text: string) => lowCardinalityColumn(name, [text], new Uint32Array(rows));
  const number64 = (name: string, type: string, value: number) =>
    int64Column(name, type, new Float64Array(rows).fill(value));
  const int8 = (name: string, value: number) => fixedColumn(name, 'Int8', new Uint8Array(rows).fill(value));
  const int16 = (name: string, value: number) => fixedColumn(name, 'UInt16', new Uint16Array(rows).fill(value));
  return [
    number64('number', 'UInt64', number),
    same('idempotency_key', fact.idempotencyKey),
    same('campaign_id', fact.campaignId),
    kind === 'audience' ? optColumn(subscribers, rows) : int8('kind', KINDS[kind]),
    fixedColumn('subscriber', `FixedString(${PSEUDONYM_OCTETS})`, pseudonyms(subscribers, rows)),
    int8('cap_per', cap === undefined ? 0 : PER[cap.per]),
    int8('cap_unit', cap === undefined ? 0 : UNIT[cap.unit]),
    number64('cap_limit', 'UInt64', cap?.limit ?? 0),
    int16('window_start', cap?.windowStart ?? 0),
    int16('basis_points', cap?.basisPoints ?? 0),
    fixedColumn('used', 'Int64', new BigInt64Array(rows).fill(cap?.used ?? 0n)),
    number64('booked_at', TIME, nowMs),
    same('who', fact.who),
    same('why', fact.why),
  ];
}

function optColumn(subscribers: AudienceChanges | undefined, rows: number): NativeColumn {
  const kinds = new Uint8Array(rows);
  for (let row = 0; row < rows; row++) kinds[row] = subscribers?.optedIn[row] === 1 ? KINDS.opt_in : KINDS.opt_out;
  return fixedColumn('kind', 'Int8', kinds);
}

function pseudonyms(subscribers: AudienceChanges | undefined, rows: number): Uint32Array {
  return subscribers?.pseudonyms.subarray(0, rows * PSEUDONYM_WORDS) ?? new Uint32Array(rows * PSEUDONYM_WORDS);
}
