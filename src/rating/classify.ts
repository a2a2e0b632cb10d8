import type { AdmissionKernel } from './admission-kernel.ts';
import type { Application, Catalogue, MatchPolicy } from './catalogue.ts';
import {
  BY_CDR,
  BY_IP,
  BY_TAG,
  CONFLICTING_IDENTITIES,
  type FlowBatch,
  type FlowRecord,
  NO_IDENTITY,
  NO_TAG,
  UNKNOWN_IDENTITY,
} from './flow-record.ts';
import { NO_TEXT } from './kernel/regions.ts';
import { TextNumbers, type UnknownTags } from './names.ts';
import type { Reason } from './outcome.ts';
import {
  ADDRESS_WORDS,
  FIRST,
  LAST_SLICE,
  mapAt,
  NO_OWNER,
  SHIFT,
  SLICES,
  WORD,
  type WordMaps,
  wordMaps,
} from './word-maps.ts';

const NEEDS: Readonly<Record<MatchPolicy, number>> = {
  any: 0,
  tag: BY_TAG,
  ip: BY_IP,
  both: BY_TAG | BY_IP,
  cdr: BY_CDR,
};

/** Of a tag or an identity that no application claims. */
const UNCLAIMED = -1;

/** Returns the look-up maps of all of a catalogue's prefixes: with many of them, most of the work of making a catalogue ready. */
export function prefixMapsOf({ applications }: Pick<Catalogue, 'applications'>): WordMaps {
  return wordMaps(applications.flatMap(({ prefixes }, application) => prefixes.map((cidr) => ({ cidr, application }))));
}

/** The catalogue's evidence, made ready for look-ups. */
export class Evidence {
  /** By application, what its match policy asks for. */
  readonly #needs: Uint8Array;
  /** The catalogue's tags; a record's `tag` is an index into them. */
  readonly tags: readonly string[];
  /** By tag, whose it is. */
  readonly #tagApplications: Int32Array;
  readonly #tagNumbers: ReadonlyMap<string, number>;
  readonly #tagTexts = new TextNumbers((tag) => this.#tagNumbers.get(tag) ?? UNCLAIMED);
  readonly #prefixes: PrefixTable;
  readonly #identities: IdentityClaims;

  /** `prefixMaps`: the catalogue's, where they are made already. */
  constructor(catalogue: Catalogue, prefixMaps: WordMaps = prefixMapsOf(catalogue)) {
    this.#needs = Uint8Array.from(catalogue.applications, ({ match }) => NEEDS[match]);
    this.#prefixes = new PrefixTable(prefixMaps);
    this.#identities = new IdentityClaims(catalogue.applications);
    this.tags = catalogue.applications.flatMap(({ tags }) => tags);
    this.#tagApplications = Int32Array.from(
      catalogue.applications.flatMap(({ tags }, application) => tags.map(() => application)),
    );
    this.#tagNumbers = new Map(this.tags.map((tag, number) => [tag, number]));
  }

  /** Returns what `FlowBatch.tag` says of a record. */
  codeOfTag(tag: string | null, unknownTags: UnknownTags): number {
    return tag === null ? NO_TAG : (this.#tagNumbers.get(tag) ?? unknownTags.codeOf(tag));
  }

  /** Returns the application that claims the record's tag; -1 where it has none, or none claims it. */
  applicationOfTag({ tag }: FlowBatch, row: number): number {
    return tag[row] < 0 ? -1 : this.#tagApplications[tag[row]];
  }

  /** What `FlowBatch.cdrApplication` says of a record. */
  applicationOfIdentities(record: FlowRecord): number {
    return this.#identities.applicationOf(record);
  }

  /** Fills `tag` and `cdrApplication` of the kernel's rows [from, to), which are a batch's from `begin` on. */
  takeTexts(kernel: AdmissionKernel, from: number, to: number, batch: FlowBatch, begin: number): void {
    const { tagText, sponsorText, aspText } = kernel;
    for (let row = from, at = begin; row < to; row++, at++) {
      const tag = tagText[row];
      if (tag !== NO_TEXT) {
        const number = this.#tagTexts.of(kernel, tag);
        batch.tag[at] = number === UNCLAIMED ? batch.unknownTags.codeOfText(kernel, tag) : number;
      }
      if (sponsorText[row] === NO_TEXT && aspText[row] === NO_TEXT) continue;
      batch.cdrApplication[at] = this.#identities.applicationOfTexts(kernel, row);
    }
  }

  /** Looks up the prefixes of all records, for `classify`: of many at once they take a fraction of the time. */
  findPrefixes({ remoteAddress, count, prefixApplication }: FlowBatch): void {
    this.#prefixes.applicationsOf(remoteAddress, count, prefixApplication);
  }

  /**
   * Which application's the record is, and by what evidence (rule 1): the tag decides first, then the CDR's identities, then
   * the longest matching prefix; what is found must not differ. Fills `evidence` and `application`, or gives the reason why
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
      if (batch.tag[row] < NO_TAG) return 'unknown_tag';
      return byCdr === UNKNOWN_IDENTITY ? 'unknown_identity' : 'no_evidence';
    }
    const application = byTag >= 0 ? byTag : byCdr >= 0 ? byCdr : byIp;
    if (byCdr >= 0 && byCdr !== application) return 'evidence_conflict';
    if (byIp >= 0 && byIp !== application) return 'evidence_conflict';
    batch.application[row] = application;
    const missing = this.#needs[application] & ~found;
    if (missing === 0) return null;
    if ((missing & BY_TAG) !== 0) return 'tag_missing';
    return (missing & BY_CDR) !== 0 ? 'identity_missing' : 'prefix_missing';
  }
}

/**
 * Which application claims the identities that a gateway wrote into its CDR. The ASP identity decides: it names the
 * service. The sponsor identity names who pays, which is one application only where an application claims it, and it counts
 * where no application claims the ASP identity. When both are claimed, and by applications of two sponsors, they conflict.
 */
class IdentityClaims {
  readonly #byAsp = new Map<string, number>();
  readonly #bySponsor = new Map<string, number>();
  readonly #aspTexts = new TextNumbers((identity) => this.#byAsp.get(identity) ?? UNCLAIMED);
  readonly #sponsorTexts = new TextNumbers((identity) => this.#bySponsor.get(identity) ?? UNCLAIMED);
  /** By application its sponsor. */
  readonly #sponsors: Int32Array;

  constructor(applications: readonly Application[]) {
    this.#sponsors = Int32Array.from(applications, ({ sponsor }) => sponsor);
    applications.forEach(({ aspIdentities, sponsorIdentities }, application) => {
      for (const identity of aspIdentities) this.#byAsp.set(identity, application);
      for (const identity of sponsorIdentities) this.#bySponsor.set(identity, application);
    });
  }

  /** Gives an application, or NO_IDENTITY, UNKNOWN_IDENTITY, CONFLICTING_IDENTITIES. */
  applicationOf({ sponsorIdentity, applicationServiceProviderIdentity }: FlowRecord): number {
    if (sponsorIdentity === null && applicationServiceProviderIdentity === null) return NO_IDENTITY;
    const byAsp = applicationServiceProviderIdentity ?? '';
    return this.#decide(this.#byAsp.get(byAsp) ?? UNCLAIMED, this.#bySponsor.get(sponsorIdentity ?? '') ?? UNCLAIMED);
  }

  /** The same for a row of the kernel that has one at least. */
  applicationOfTexts(kernel: AdmissionKernel, row: number): number {
    const of = (numbers: TextNumbers, text: number) => (text === NO_TEXT ? UNCLAIMED : numbers.of(kernel, text));
    return this.#decide(of(this.#aspTexts, kernel.aspText[row]), of(this.#sponsorTexts, kernel.sponsorText[row]));
  }

  #decide(byAsp: number, bySponsor: number): number {
    if (byAsp === UNCLAIMED) return bySponsor === UNCLAIMED ? UNKNOWN_IDENTITY : bySponsor;
    const isOneSponsor = bySponsor === UNCLAIMED || this.#sponsors[bySponsor] === this.#sponsors[byAsp];
    return isOneSponsor ? byAsp : CONFLICTING_IDENTITIES;
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

  /** Fills in, for each of `count` addresses of four words, the application of the longest prefix that holds it, or -1. */
  applicationsOf(addresses: Uint32Array, count: number, applications: Int32Array): void {
    for (let from = 0; from < count; from += ROWS_AT_ONCE) {
      const to = Math.min(count, from + ROWS_AT_ONCE);
      let open = this.#begin(addresses, from, to, applications);
      while (open > 0) {
        this.#findSlices(addresses, open, applications);
        this.#touch(open);
        open = this.#descend(addresses, open, applications);
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
