import type { AdmissionKernel } from './admission-kernel.ts';
import { CdrClaims, TextClaims, UNCLAIMED } from './cdr-claims.ts';
import { ClaimChains, FIRST_CHAIN, NO_OWNER } from './claims.ts';
import { DetectionClaims } from './detection-claims.ts';
import { DETECTED, type EvidenceTables } from './evidence-tables.ts';
import {
  BY_CDR,
  BY_IP,
  BY_TAG,
  CONFLICTING_IDENTITIES,
  type FlowBatch,
  type FlowRecord,
  NO_TAG,
  UNKNOWN_IDENTITY,
} from './flow-record.ts';
import { NO_TEXT } from './kernel/regions.ts';
import type { UnknownTags } from './names.ts';
import type { Reason } from './outcome.ts';
import type { TextTable } from './text-table.ts';
import { ADDRESS_WORDS, FIRST, LAST_SLICE, mapAt, SHIFT, SLICES, WORD, type WordMaps } from './word-maps.ts';

/** Each record asks for it: the runtime looks up a constant of another module every time. */
const OWN_FIRST_CHAIN = FIRST_CHAIN;

/** The catalogue's evidence, made ready for look-ups. */
export class Evidence {
  /** By application, what its match policy asks for. */
  readonly #needs: Uint8Array;
  readonly #tags: TextClaims;
  /** By tag, whose it is: see `ClaimChains`. */
  readonly #tagOwners: Int32Array;
  readonly #identities: CdrClaims;
  readonly #detections: DetectionClaims;
  /** By application: 1 where a detection alone is evidence. */
  readonly #detectedAlone: Uint8Array;
  readonly #prefixes: PrefixTable;
  readonly #prefixChains: ClaimChains;

  constructor(tables: EvidenceTables) {
    this.#needs = tables.needs;
    this.#tags = new TextClaims(tables.tags);
    this.#tagOwners = tables.tags.owners;
    this.#identities = new CdrClaims(tables);
    this.#detections = new DetectionClaims(tables.detections);
    this.#detectedAlone = tables.detectedAlone;
    this.#prefixes = new PrefixTable(tables.prefixes);
    this.#prefixChains = new ClaimChains(tables.prefixes.chains);
  }

  /** The catalogue's tags, each once, by a record's `tag` that is not negative. */
  get tags(): Pick<TextTable, 'at'> {
    return this.#tags.texts;
  }

  /** Returns what `FlowBatch.tag` says of a record. */
  codeOfTag(tag: string | null, unknownTags: UnknownTags): number {
    if (tag === null) return NO_TAG;
    const number = this.#tags.numberOf(tag);
    return number === UNCLAIMED ? unknownTags.codeOf(tag) : number;
  }

  /** Returns the application that claims the record's tag at its start; -1 where it has none, or none does. */
  applicationOfTag(batch: FlowBatch, row: number): number {
    const tag = batch.tag[row];
    const owner = tag < 0 ? -1 : this.#tagOwners[tag];
    return owner < OWN_FIRST_CHAIN ? owner : this.#tags.chains.applicationOf(owner, batch, row);
  }

  /** Returns what `FlowBatch.cdrApplication` says of a record, whose start time is in the batch. */
  applicationOfIdentities(record: FlowRecord, batch: FlowBatch, row: number): number {
    return this.#identities.applicationOf(record, batch, row);
  }

  /** Returns what `FlowBatch.detectedApplication` says of a record, whose start time is in the batch. */
  applicationOfDetection(record: FlowRecord, batch: FlowBatch, row: number): number {
    return this.#detections.applicationOf(record, batch, row);
  }

  /** Fills `tag`, `cdrApplication` and `detectedApplication` of the kernel's rows [from, to), which are a batch's from `begin` on, with their start times. */
  takeTexts(kernel: AdmissionKernel, from: number, to: number, batch: FlowBatch, begin: number): void {
    const { tagText } = kernel;
    for (let row = from, at = begin; row < to; row++, at++) {
      const tag = tagText[row];
      if (tag !== NO_TEXT) {
        const number = this.#tags.numberOfText(kernel, tag);
        batch.tag[at] = number === UNCLAIMED ? batch.unknownTags.codeOfText(kernel, tag) : number;
      }
    }
    this.#identities.takeRows(kernel, from, to, batch, begin);
    this.#detections.takeRows(kernel, from, to, batch, begin);
  }

  /** Looks up the prefixes of all records, for `classify`: of many at once they take a fraction of the time. */
  findPrefixes(batch: FlowBatch): void {
    const { remoteAddress, count, prefixApplication } = batch;
    this.#prefixes.ownersOf(remoteAddress, count, prefixApplication);
    this.#prefixChains.resolve(prefixApplication, batch);
  }

  /**
   * Which application's the record is, and by what evidence (rule 1): the tag decides first, then the CDR's identities, rating group
   * and service identifier, then the longest matching prefix, each as it was in force at the record's start; what is found must not differ, and neither may what the gateway detected. Fills `evidence` and `application`, or gives the reason why
   * no application is.
   */
  classify(batch: FlowBatch, row: number): Reason | null {
    const byTag = this.applicationOfTag(batch, row);
    const byCdr = batch.cdrApplication[row];
    const byIp = batch.prefixApplication[row];
    const found = (byTag >= 0 ? BY_TAG : 0) | (byCdr >= 0 ? BY_CDR : 0) | (byIp >= 0 ? BY_IP : 0);
    batch.evidence[row] = found;
    if (byCdr === CONFLICTING_IDENTITIES) return 'evidence_conflict';
    if (found === 0) {
      if (!this.#detections.isEmpty && batch.detectedApplication[row] >= 0) return this.#byDetection(batch, row);
      if (batch.tag[row] !== NO_TAG) return 'unknown_tag';
      return byCdr === UNKNOWN_IDENTITY ? 'unknown_identity' : 'no_evidence';
    }
    const application = byTag >= 0 ? byTag : byCdr >= 0 ? byCdr : byIp;
    if (byCdr >= 0 && byCdr !== application) return 'evidence_conflict';
    if (byIp >= 0 && byIp !== application) return 'evidence_conflict';
    if (this.#detections.isEmpty) return this.#missing(batch, row, application, found);
    const detected = batch.detectedApplication[row];
    if (detected >= 0 && detected !== application) return 'evidence_conflict';
    return this.#missing(batch, row, application, detected >= 0 ? found | DETECTED : found);
  }

  /** A detection alone: the gateway's word, as a CDR's is, where the application takes it. */
  #byDetection(batch: FlowBatch, row: number): Reason | null {
    const application = batch.detectedApplication[row];
    if (this.#detectedAlone[application] === 1) {
      batch.evidence[row] = BY_CDR;
      return this.#missing(batch, row, application, BY_CDR | DETECTED);
    }
    batch.application[row] = application;
    return 'detected_only';
  }

  /** Gives the application the record, or the reason why its match policy does not take it. */
  #missing(batch: FlowBatch, row: number, application: number, found: number): Reason | null {
    batch.application[row] = application;
    const missing = this.#needs[application] & ~found;
    if (missing === 0) return null;
    if ((missing & BY_TAG) !== 0) return 'tag_missing';
    if ((missing & DETECTED) !== 0) return 'detection_missing';
    return (missing & BY_CDR) !== 0 ? 'identity_missing' : 'prefix_missing';
  }
}

/** Few enough that what was touched for them is still in the processor's nearest cache when they are searched. */
const ROWS_AT_ONCE = 128;
/** ::ffff:0:0/96 */
const V4_WORDS = [0, 0, 0xffff];

/**
 * Longest matching prefix. Nested prefixes are cut into disjoint ranges once, so whatever the nesting a look-up is one
 * place in a directory and a few ranges beside each other: once for an IPv4 address, and for an IPv6 address once for each of
 * its words that a prefix reaches into; once more where prefixes are in a cluster. See `WordMaps`.
 *
 * A million prefixes take about 20 MiB where they are IPv4 and 40 MiB where they are IPv6; none takes more than 170 octets.
 */
export class PrefixTable {
  readonly #words: Uint32Array;
  /** What an address begins at, and an IPv4 address: it has its first three words behind it. */
  readonly #root: number;
  readonly #v4: number;
  /** The rows that are still at a map, and the slice of it that their word lies in. */
  readonly #rows = new Uint32Array(ROWS_AT_ONCE);
  readonly #slices = new Uint32Array(ROWS_AT_ONCE);
  readonly #touched = new Uint32Array(1);

  constructor({ words, root }: WordMaps) {
    this.#words = words;
    this.#root = root;
    let entry = root;
    while (entry < NO_OWNER && words[mapAt(entry) + WORD] < V4_WORDS.length) {
      const word = V4_WORDS[words[mapAt(entry) + WORD]];
      entry = this.#search(this.#slice(mapAt(entry), word), word);
    }
    this.#v4 = entry;
  }

  /** Fills in the owner (see `ClaimChains`) of each of `count` addresses of four words, or NO_OWNER. */
  ownersOf(addresses: Uint32Array, count: number, owners: Int32Array): void {
    for (let from = 0; from < count; from += ROWS_AT_ONCE) {
      const to = Math.min(count, from + ROWS_AT_ONCE);
      let open = this.#begin(addresses, from, to, owners);
      while (open > 0) {
        this.#findSlices(addresses, open, owners);
        this.#touch(open);
        open = this.#descend(addresses, open, owners);
      }
    }
  }

  /** Gives how many rows are at a map. */
  #begin(addresses: Uint32Array, from: number, to: number, entries: Int32Array): number {
    let open = 0;
    for (let row = from; row < to; row++) {
      const at = row * ADDRESS_WORDS;
      const isV4 = addresses[at] === 0 && addresses[at + 1] === 0 && addresses[at + 2] === 0xffff;
      entries[row] = isV4 ? this.#v4 : this.#root;
      if (entries[row] < NO_OWNER) this.#rows[open++] = row;
    }
    return open;
  }

  #findSlices(addresses: Uint32Array, open: number, entries: Int32Array): void {
    for (let i = 0; i < open; i++) {
      const row = this.#rows[i];
      const map = mapAt(entries[row]);
      this.#slices[i] = this.#slice(map, addresses[row * ADDRESS_WORDS + this.#words[map + WORD]]);
    }
  }

  /**
   * Reads what the search will read: where nothing is decided in between, the processor runs ahead and waits for the memory
   * of many rows at once, not one by one.
   */
  #touch(open: number): void {
    const words = this.#words;
    const slices = this.#slices;
    let touched = 0;
    for (let i = 0; i < open; i++) touched ^= words[slices[i]];
    for (let i = 0; i < open; i++) touched ^= words[words[slices[i]]] ^ words[words[slices[i] + 1]];
    // What is never used would not be read.
    this.#touched[0] = touched;
  }

  /** Searches each open row's next map. Returns how many rows have a further one. */
  #descend(addresses: Uint32Array, open: number, entries: Int32Array): number {
    let left = 0;
    for (let i = 0; i < open; i++) {
      const row = this.#rows[i];
      const word = this.#words[mapAt(entries[row]) + WORD];
      entries[row] = this.#search(this.#slices[i], addresses[row * ADDRESS_WORDS + word]);
      if (entries[row] < NO_OWNER) this.#rows[left++] = row;
    }
    return left;
  }

  /** The index of the map's slice that holds the word. */
  #slice(map: number, word: number): number {
    const words = this.#words;
    const first = words[map + FIRST];
    const slice = word <= first ? 0 : Math.min((word - first) >>> words[map + SHIFT], words[map + LAST_SLICE]);
    return map + SLICES + slice;
  }

  /** The entry of the slice's last range that begins at the word or below. */
  #search(slice: number, word: number): number {
    const words = this.#words;
    let low = words[slice];
    let high = words[slice + 1];
    while (low < high) {
      // A range is two words.
      const middle = low + ((high - low + 2) >>> 2) * 2;
      if (words[middle] <= word) low = middle;
      else high = middle - 2;
    }
    return words[low + 1] | 0;
  }
}
