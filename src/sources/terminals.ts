import { formatCidr, networkOf, parseCidr, parseIp } from '../billing/ip-address.ts';
import { Leases } from './leases.ts';

const HEADER = 'prefix,from,to,msisdn';
const ADDRESS_BITS = 128;

/**
 * Which subscriber's an address was at a time, as RADIUS accounting reports it: from the start of a session to its end. Of
 * nested prefixes the longest wins.
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

  /** Reads lines `prefix,from,to,msisdn`: an address or a network, and the lease. Returns the faults by line where there are some. */
  static parse(text: string): Terminals | string[] {
    const leases = Leases.parse(
      text,
      HEADER,
      networkText,
      (prefix) => `prefix ${JSON.stringify(prefix)} is no address and no network`,
    );
    return leases instanceof Leases ? new Terminals(leases) : leases;
  }

  /** The MSISDN; null if the address was nobody's then. */
  msisdnOf(address: string, timeMs: number): string | null {
    if (!parseIp(address, this.#address, 0)) return null;
    for (const length of this.#lengths) {
      const msisdn = this.#leases.msisdnOf(formatCidr(networkOf({ words: this.#address, length })), timeMs);
      if (msisdn !== null) return msisdn;
    }
    return null;
  }
}

function parseNetwork(text: string) {
  const words = new Uint32Array(4);
  return parseIp(text, words, 0) ? { words, length: ADDRESS_BITS } : parseCidr(text);
}

function networkText(prefix: string): string | null {
  const cidr = parseNetwork(prefix);
  return cidr === null ? null : formatCidr(networkOf(cidr));
}
