import type { DocumentFault } from '../../formats/document-fault.ts';
import { suggestion } from '../../formats/nearest-word.ts';
import { prefixProblem } from '../../rating/catalogue/catalogue-evidence-faults.ts';
import { type FlowCondition, MAX_PORT_SPANS, mergePortSpans, type PortSpan } from '../../rating/flow-condition.ts';
import { type Cidr, compareNetworks, formatCidr, parseCidr, parseIp } from '../../rating/ip-address.ts';
import { prefixText, protocolText } from '../prefix-text.ts';

/** What a published list of addresses holds. */
interface AddressList {
  /** As `prefixText` writes them, by address, each traffic once. */
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

/** A network of a list, and the traffic of it that the list names: all (null), or ports by protocol, none of them for all ports. */
interface CollectedNetwork {
  network: Cidr;
  ports: Map<number, PortSpan[] | null> | null;
}

/** Collects a list's networks and everything that is wrong with it. */
export class AddressListCollector {
  readonly #file: string;
  readonly #networks = new Map<string, CollectedNetwork>();
  readonly #faults: DocumentFault[] = [];
  readonly #notes: string[] = [];
  #moreFaults = 0;

  /** `file`: the list's name in faults. */
  constructor(file: string) {
    this.#file = file;
  }

  /** Adds a network in CIDR: all its traffic, or what `flows` say. `place` is asked where it is none. */
  addNetwork(text: string, place: () => Place, flows: readonly FlowCondition[] = []): void {
    const problem =
      text.length > LONGEST_NETWORK ? `a line of ${text.length} characters is no network` : prefixProblem(text);
    const network = parseCidr(text);
    if (problem !== null || network === null) {
      this.fault(place, problem ?? 'is no network');
      return;
    }
    const key = formatCidr(network);
    const known = this.#networks.get(key);
    if (flows.length === 0) this.#networks.set(key, { network, ports: null });
    else if (known?.ports !== null) this.#networks.set(key, { network, ports: withFlows(known?.ports, flows) });
  }

  /** Adds a network, or a single address. */
  addNetworkOrAddress(text: string, place: () => Place, flows?: readonly FlowCondition[]): void {
    const isAddress = !text.includes('/') && parseIp(text, new Uint32Array(4), 0);
    this.addNetwork(isAddress ? `${text}/${text.includes(':') ? 128 : 32}` : text, place, flows);
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
    const prefixes = [...this.#networks.values()]
      .sort((a, b) => compareNetworks(a.network, b.network))
      .flatMap((collected) => this.#prefixesOf(collected));
    if (this.#faults.length > 0) return { faults: this.#faults };
    return { list: { prefixes, createdAtMs, notes: this.#notes } };
  }
  #prefixesOf({ network, ports }: CollectedNetwork): string[] {
    if (ports === null) return [prefixText({ network })];
    return [...ports]
      .sort(([a], [b]) => a - b)
      .map(([protocol, all]) => {
        const spans = mergePortSpans(all ?? []);
        if (spans.length > MAX_PORT_SPANS) {
          const message = `${formatCidr(network)} has ${spans.length} spans of ${protocolText(protocol)} ports: a prefix may have ${MAX_PORT_SPANS}`;
          this.fault(() => ({ line: null, path: '' }), message);
        }
        return prefixText({ network, flow: { protocol, ports: spans } });
      });
  }
}

/** Adds traffic: a protocol that is named without ports has all of them. */
function withFlows(
  known: ReadonlyMap<number, PortSpan[] | null> = new Map(),
  flows: readonly FlowCondition[],
): Map<number, PortSpan[] | null> {
  const ports = new Map(known);
  for (const { protocol, ports: more } of flows) {
    const before = ports.get(protocol);
    ports.set(protocol, before === null || more.length === 0 ? null : [...(before ?? []), ...more]);
  }
  return ports;
}
