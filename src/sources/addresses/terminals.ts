import { formatCidr, networkOf, parseCidr, parseIp } from '../../rating/ip-address.ts';
import type { MsisdnForms } from '../../rating/record/msisdn.ts';
import { type Lease, Leases, lastIndexFrom, leaseAt, type PortBlock } from './leases.ts';

const HEADER = 'prefix,from,to,msisdn';
const HEADER_WITH_PORTS = 'prefix,ports,from,to,msisdn';
const ADDRESS_BITS = 128;

/** An address, and the port of it that a flow has; null where it has none. */
export interface TerminalEndpoint {
  address: string;
  port: number | null;
}

/** The leases of one network that holds an address. */
interface Holder {
  whole: readonly Lease[];
  blocks: readonly PortBlock[];
}

/**
 * Which subscriber's an address was at a time, as RADIUS accounting reports it: from the start of a session to its end. Of
 * nested prefixes the longest wins. Behind carrier-grade NAT subscribers share an address: each has a block of its ports.
 */
export class Terminals {
  readonly #leases: Leases;
  /** Of prefixes, the longest first. */
  readonly #lengths: readonly number[];
  readonly #address = new Uint32Array(4);

  private constructor(leases: Leases) {
    this.#leases = leases;
    const lengths = new Set([...leases.keys()].map((network) => parseNetwork(network)?.length ?? ADDRESS_BITS));
    this.#lengths = [...lengths].sort((a, b) => b - a);
  }

  /**
   * Reads lines `prefix,from,to,msisdn`, or `prefix,ports,from,to,msisdn`: an address or a network, and the lease. Returns the faults by
   * line where there are some.
   */
  static parse(text: string, forms?: MsisdnForms): Terminals | string[] {
    const leases = Leases.parse(text, {
      header: HEADER,
      headerWithPorts: HEADER_WITH_PORTS,
      keyOf: networkText,
      keyFault: (prefix) => `prefix ${JSON.stringify(prefix)} is no address and no network`,
      forms,
    });
    return leases instanceof Leases ? new Terminals(leases) : leases;
  }

  /** Returns the MSISDN whose the address, and the port of it, was at this time; null if it was none's. */
  msisdnOf({ address, port }: TerminalEndpoint, timeMs: number): string | null {
    return ownerAt(this.#holdersOf(address), timeMs, port);
  }

  /** Was the address shared by blocks of ports at this time? Then a port of it says whose it is, and nothing else. */
  isShared(address: string, timeMs: number): boolean {
    return this.#holdersOf(address).some(({ blocks }) => hasBlockAt(blocks, timeMs));
  }

  /** Was the address, and the port of it, more than one MSISDN's between the two times, both included? */
  changedHands({ address, port }: TerminalEndpoint, fromMs: number, toMs: number): boolean {
    const holders = this.#holdersOf(address);
    const changes = holders
      .flatMap(({ whole, blocks }) => [whole, ...blocks.map(({ leases }) => leases)])
      .flatMap((leases) => leases.slice(Math.max(0, lastIndexFrom(leases, fromMs)), lastIndexFrom(leases, toMs) + 1))
      .flatMap((lease) => [lease.fromMs, lease.toMs]);
    const times = [fromMs, toMs, ...changes.filter((timeMs) => fromMs < timeMs && timeMs < toMs)];
    const owners = new Set(times.map((timeMs) => ownerAt(holders, timeMs, port)));
    owners.delete(null);
    return owners.size > 1;
  }

  /** The leases of the networks that hold the address, of the longest first. */
  #holdersOf(address: string): Holder[] {
    if (!parseIp(address, this.#address, 0)) return [];
    return this.#lengths.flatMap((length) => {
      const key = formatCidr(networkOf({ words: this.#address, length }));
      const [whole, blocks] = [this.#leases.of(key), this.#leases.blocksOf(key)];
      return whole.length + blocks.length > 0 ? [{ whole, blocks }] : [];
    });
  }
}

/** An address that is shared is its blocks' alone: no shorter prefix says whose another port of it is. */
function ownerAt(holders: readonly Holder[], timeMs: number, port: number | null): string | null {
  for (const { whole, blocks } of holders) {
    const lease = leaseAt(whole, timeMs);
    if (lease !== undefined) return lease.msisdn;
    if (blocks.length === 0 || !hasBlockAt(blocks, timeMs)) continue;
    if (port === null) return null;
    for (const { first, last, leases } of blocks) {
      const own = port >= first && port <= last ? leaseAt(leases, timeMs) : undefined;
      if (own !== undefined) return own.msisdn;
    }
    return null;
  }
  return null;
}

function hasBlockAt(blocks: readonly PortBlock[], timeMs: number): boolean {
  return blocks.some(({ leases }) => leaseAt(leases, timeMs) !== undefined);
}

function parseNetwork(text: string) {
  const words = new Uint32Array(4);
  return parseIp(text, words, 0) ? { words, length: ADDRESS_BITS } : parseCidr(text);
}

function networkText(prefix: string): string | null {
  const cidr = parseNetwork(prefix);
  return cidr === null ? null : formatCidr(networkOf(cidr));
}
