import type { DocumentFault } from '../../formats/document-fault.ts';
import { suggestion } from '../../formats/nearest-word.ts';
import { prefixProblem } from '../../rating/catalogue/catalogue-evidence-faults.ts';
import { type Cidr, compareNetworks, formatCidr, parseCidr, parseIp } from '../../rating/ip-address.ts';

/** What a published list of addresses holds. */
interface AddressList {
  /** CIDR text in its one spelling, by address, each once. */
  prefixes: readonly string[];
  /** When the list says that it was made; null where its form does not say. */
  createdAtMs: number | null;
  /** What is in the list and not used, a line each. */
  notes: readonly string[];
}

export type ReadAddressList =
  | { list: AddressList; faults?: undefined }
  | { list?: undefined; faults: readonly DocumentFault[] };

/** Where something is in the list: its line, and its path in a JSON document (empty in other forms). */
export type Place = Pick<DocumentFault, 'line' | 'path'>;

/** Most faults of one list that are reported by line. */
const MAX_FAULTS = 20;
/** Characters of the longest text that may name a network, with some to spare for messages. */
const LONGEST_NETWORK = 64;

/** Collects a list's networks and everything that is wrong with it. */
export class AddressListCollector {
  readonly #file: string;
  readonly #networks = new Map<string, Cidr>();
  readonly #faults: DocumentFault[] = [];
  readonly #notes: string[] = [];
  #moreFaults = 0;

  /** `file`: the list's name in faults. */
  constructor(file: string) {
    this.#file = file;
  }

  /** Adds a network in CIDR. `place` is asked where it is none. */
  addNetwork(text: string, place: () => Place): void {
    const problem =
      text.length > LONGEST_NETWORK ? `a line of ${text.length} characters is no network` : prefixProblem(text);
    const network = parseCidr(text);
    if (problem !== null || network === null) this.fault(place, problem ?? 'is no network');
    else this.#networks.set(formatCidr(network), network);
  }

  /** Adds a network, or a single address. */
  addNetworkOrAddress(text: string, place: () => Place): void {
    const isAddress = !text.includes('/') && parseIp(text, new Uint32Array(4), 0);
    this.addNetwork(isAddress ? `${text}/${text.includes(':') ? 128 : 32}` : text, place);
  }

  fault(place: () => Place, message: string): void {
    if (this.#faults.length < MAX_FAULTS) this.#faults.push({ file: this.#file, ...place(), message });
    else this.#moreFaults += 1;
  }

  note(text: string): void {
    this.#notes.push(text);
  }

  /** Adds a fault for each word of a filter that no entry of the list has: a misspelled one would select nothing without a word. */
  requireWords(field: string, wanted: readonly string[] | undefined, found: ReadonlySet<string>): void {
    for (const word of wanted ?? []) {
      if (found.has(word)) continue;
      const hint = suggestion(word, found);
      this.fault(
        () => ({ line: null, path: '' }),
        `no entry fits ${JSON.stringify(word)} of filter.${field}${hint}: correct the feed's filter`,
      );
    }
  }

  /** Returns the list, or all faults. A list without any network is a fault, too. */
  finish(createdAtMs: number | null): ReadAddressList {
    if (this.#faults.length === 0 && this.#networks.size === 0) {
      const rest = this.#notes.length === 0 ? '' : ` (${this.#notes.join('; ')})`;
      this.fault(
        () => ({ line: null, path: '' }),
        `holds no address that is used${rest}: check the source, and the feed's form and filter`,
      );
    }
    if (this.#moreFaults > 0) {
      const message = `and ${this.#moreFaults} more faults: check the feed's form`;
      this.#faults.push({ file: this.#file, line: null, path: '', message });
    }
    if (this.#faults.length > 0) return { faults: this.#faults };
    const prefixes = [...this.#networks].sort(([, a], [, b]) => compareNetworks(a, b)).map(([text]) => text);
    return { list: { prefixes, createdAtMs, notes: this.#notes } };
  }
}
