import { type FlowBatch, NO_TAG } from './flow-record.ts';
import { formatCidr, networkOf } from './ip-address.ts';
import { OUTCOMES, type Outcome, outcomeOf, REASONS } from './outcome.ts';

/** Rows of a batch's leakage where the configuration does not say how many. */
export const DEFAULT_LEAKAGE_ROWS = 100;

const DAY_MS = 24 * 60 * 60 * 1000;
/** /24 of IPv4 and /48 of IPv6: networks, and no host. */
const V4_LENGTH = 96 + 24;
const V6_LENGTH = 48;

/** What no sponsor pays for, of one application, reason, remote network, tag, node and day of use. */
interface LeakageRow {
  /** Index into the catalogue's applications; -1 where none was recognised. */
  application: number;
  reasonCode: number;
  /** Remote /24 (IPv4) or /48 (IPv6); empty in a remainder, which sums an application's and reason's networks without a row. */
  prefix: string;
  /** Empty where the records have none; of one that no application claims, without what may be a subscriber's number. */
  tag: string;
  nodeId: string;
  /** Day of use: of the records' start, UTC, days since 1970-01-01; 0 in a remainder. */
  day: number;
  records: number;
  /** Uplink and downlink octets. */
  octets: number;
}

/** Bounded: at most `maxRows` rows, and one remainder for each application and reason, so that the sums are exact. */
export interface Leakage {
  /** The limit that it was computed with; 0: no leakage is kept. */
  maxRows: number;
  rows: readonly LeakageRow[];
}

const NO_LEAKAGE: Leakage = { maxRows: 0, rows: [] };

/** Words behind the batch's numbers for nodes and tags. */
export interface LeakageNames {
  nodes: readonly string[];
  /** The catalogue's tags by their numbers, which are not negative. */
  tags: { at(number: number): string | undefined };
}

/**
 * Returns the largest `maxRows` groups of a decided batch's unsponsored records by octets (of equal ones the first read), largest
 * first, then the remainders by application and reason. It follows from the records alone: a replay gives the same rows.
 */
export function leakageOf(batch: FlowBatch, names: LeakageNames, maxRows: number): Leakage {
  if (maxRows === 0) return NO_LEAKAGE;
  const groups = new LeakageGroups(batch);
  const top = groups.largest(maxRows);
  const rows = top.map((group) => groups.row(group, names));
  return { maxRows, rows: top.length === groups.count ? rows : [...rows, ...groups.remainders(top)] };
}

/** By reason code: 1 is not sponsored. */
const NOT_SPONSORED = Uint8Array.from({ length: 256 }, (_, code) =>
  code < REASONS.length && outcomeOf(code) === 'not_sponsored' ? 1 : 0,
);

/** The unsponsored records of a batch by application, reason, network, tag, node and day: a hash table over the batch's own columns. */
class LeakageGroups {
  count = 0;
  readonly #batch: FlowBatch;
  /** A group's first row: its columns are the group's key. */
  readonly #first: Uint32Array;
  readonly #records: Uint32Array;
  readonly #octets: Float64Array;
  /** Group + 1 by hash; 0 is free. */
  readonly #slots: Uint32Array;
  readonly #tagAliases: ReadonlyMap<number, number>;

  constructor(batch: FlowBatch) {
    this.#batch = batch;
    let unsponsored = 0;
    for (let row = 0; row < batch.count; row++) unsponsored += NOT_SPONSORED[batch.reason[row]];
    this.#first = new Uint32Array(unsponsored);
    this.#records = new Uint32Array(unsponsored);
    this.#octets = new Float64Array(unsponsored);
    this.#slots = new Uint32Array(2 ** Math.ceil(Math.log2(unsponsored * 2 + 1)));
    this.#tagAliases = batch.unknownTags.aliases(NO_TAG);
    if (unsponsored === 0) return;
    for (let row = 0; row < batch.count; row++) if (NOT_SPONSORED[batch.reason[row]] === 1) this.#add(row);
  }

  #add(row: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = this.#hash(row) & mask;
    while (slots[slot] !== 0 && !this.#isSame(this.#first[slots[slot] - 1], row)) slot = (slot + 1) & mask;
    if (slots[slot] === 0) {
      this.#first[this.count] = row;
      slots[slot] = ++this.count;
    }
    const group = slots[slot] - 1;
    this.#records[group]++;
    this.#octets[group] += this.#batch.octets(row);
  }

  #hash(row: number): number {
    const { application, reason, remoteAddress, node, startTimeMs } = this.#batch;
    const at = row * 4;
    let hash = mix(reason[row], application[row]);
    hash = mix(hash, remoteAddress[at]);
    hash = mix(hash, this.#secondWord(at));
    hash = mix(hash, this.#lastWord(at));
    hash = mix(hash, this.#tag(row));
    hash = mix(hash, node[row]);
    hash = mix(hash, Math.floor(startTimeMs[row] / DAY_MS));
    return hash ^ (hash >>> 15);
  }

  #isSame(a: number, b: number): boolean {
    const { application, reason, remoteAddress, node, startTimeMs } = this.#batch;
    return (
      remoteAddress[a * 4] === remoteAddress[b * 4] &&
      this.#secondWord(a * 4) === this.#secondWord(b * 4) &&
      this.#lastWord(a * 4) === this.#lastWord(b * 4) &&
      this.#tag(a) === this.#tag(b) &&
      node[a] === node[b] &&
      reason[a] === reason[b] &&
      application[a] === application[b] &&
      Math.floor(startTimeMs[a] / DAY_MS) === Math.floor(startTimeMs[b] / DAY_MS)
    );
  }

  /** The network's part of the address's second word. */
  #secondWord(at: number): number {
    return this.#batch.remoteAddress[at + 1] >>> 16;
  }

  /** Of an IPv4 address its network, which is never 0 here; 0 for any other. */
  #lastWord(at: number): number {
    const words = this.#batch.remoteAddress;
    const isV4 = words[at] === 0 && words[at + 1] === 0 && words[at + 2] === 0xffff;
    return isV4 ? (words[at + 3] >>> 8) + 1 : 0;
  }

  #tag(row: number): number {
    const tag = this.#batch.tag[row];
    return this.#tagAliases.size === 0 ? tag : (this.#tagAliases.get(tag) ?? tag);
  }

  /** At most `count` groups, the largest first. */
  largest(count: number): number[] {
    const octets = this.#octets;
    const bySize = (a: number, b: number) => octets[b] - octets[a] || a - b;
    const largest: number[] = [];
    let least = -1;
    for (let group = 0; group < this.count; group++) {
      if (octets[group] <= least) continue;
      largest.push(group);
      if (largest.length < 2 * count) continue;
      largest.sort(bySize).length = count;
      least = octets[largest[count - 1]];
    }
    return largest.sort(bySize).slice(0, count);
  }

  row(group: number, { nodes, tags }: LeakageNames): LeakageRow {
    const { application, reason, remoteAddress, node, startTimeMs, unknownTags } = this.#batch;
    const row = this.#first[group];
    const tag = this.#tag(row);
    return {
      application: application[row],
      reasonCode: reason[row],
      prefix: prefixOf(remoteAddress.subarray(row * 4, row * 4 + 4)),
      tag: tag === NO_TAG ? '' : tag < 0 ? unknownTags.textOf(tag) : (tags.at(tag) ?? ''),
      nodeId: nodes[node[row]],
      day: Math.floor(startTimeMs[row] / DAY_MS),
      records: this.#records[group],
      octets: this.#octets[group],
    };
  }

  /** What the groups without a row come to. */
  remainders(withRow: readonly number[]): LeakageRow[] {
    const { application, reason } = this.#batch;
    const hasRow = new Set(withRow);
    const sums = new Map<number, LeakageRow>();
    for (let group = 0; group < this.count; group++) {
      if (hasRow.has(group)) continue;
      const row = this.#first[group];
      const key = (application[row] + 1) * REASONS.length + reason[row];
      let sum = sums.get(key);
      if (sum === undefined) {
        sum = { application: application[row], reasonCode: reason[row], ...REMAINDER };
        sums.set(key, sum);
      }
      sum.records += this.#records[group];
      sum.octets += this.#octets[group];
    }
    return [...sums].sort(([a], [b]) => a - b).map(([, sum]) => sum);
  }
}

const REMAINDER = { prefix: '', tag: '', nodeId: '', day: 0, records: 0, octets: 0 };

function prefixOf(words: Uint32Array): string {
  const isV4 = words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
  return formatCidr(networkOf({ words, length: isV4 ? V4_LENGTH : V6_LENGTH }));
}

function mix(hash: number, value: number): number {
  return Math.imul(hash ^ (hash >>> 15) ^ value, 0x2c1b3c6d) >>> 0;
}

/** Records and octets of one application and reason. */
export interface OutcomeCount {
  /** Index into the catalogue's applications; -1 where none was recognised. */
  application: number;
  reasonCode: number;
  records: number;
  /** Uplink and downlink octets. */
  octets: number;
  /** Micro-units of the sponsor's currency; rounded above 2^53 - 1, as it is for watching only: the rows hold the money. */
  chargeMicros: number;
}

export interface BatchSummary {
  records: Record<Outcome, number>;
  octets: Record<Outcome, number>;
  counts: OutcomeCount[];
  leakage: Leakage;
}

/** Counts by outcome, and by application and reason: read = charged + not sponsored + duplicate + rejected. */
export function summarise(batch: FlowBatch, leakage: Leakage = NO_LEAKAGE): BatchSummary {
  const summary: BatchSummary = { records: zeros(), octets: zeros(), counts: countsOf(batch), leakage };
  for (const { reasonCode, records, octets } of summary.counts) {
    const outcome = outcomeOf(reasonCode);
    summary.records[outcome] += records;
    summary.octets[outcome] += octets;
  }
  return summary;
}

function countsOf(batch: FlowBatch): OutcomeCount[] {
  let applications = 0;
  for (let row = 0; row < batch.count; row++) {
    if (batch.reason[row] >= REASONS.length) throw new RangeError(`row ${row} is undecided`);
    applications = Math.max(applications, batch.application[row] + 1);
  }
  // By application, from the one that was not recognised, and reason.
  const records = new Uint32Array((applications + 1) * REASONS.length);
  const octets = new Float64Array(records.length);
  const chargeMicros = new Float64Array(records.length);
  for (let row = 0; row < batch.count; row++) {
    const place = (batch.application[row] + 1) * REASONS.length + batch.reason[row];
    records[place]++;
    octets[place] += batch.octets(row);
    chargeMicros[place] += batch.chargeMicros[row];
  }
  const counts: OutcomeCount[] = [];
  records.forEach((count, place) => {
    if (count === 0) return;
    const reasonCode = place % REASONS.length;
    const application = (place - reasonCode) / REASONS.length - 1;
    counts.push({
      application,
      reasonCode,
      records: count,
      octets: octets[place],
      chargeMicros: chargeMicros[place],
    });
  });
  return counts;
}

function zeros(): Record<Outcome, number> {
  return Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
}
