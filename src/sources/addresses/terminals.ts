import { formatCidr, networkOf, parseCidr, parseIp } from '../../rating/ip-address.ts';
import type { MsisdnForms } from '../../rating/record/msisdn.ts';
import { type Lease, Leases, lastIndexFrom } from './leases.ts';

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
  static parse(text: string, forms?: MsisdnForms): Terminals | string[] {
    const leases = Leases.parse(text, {
      header: HEADER,
      keyOf: networkText,
      keyFault: (prefix) => `prefix ${JSON.stringify(prefix)} is no address and no network`,
      forms,
    });
    return leases instanceof Leases ? new Terminals(leases) : leases;
  }

  /** Returns the MSISDN whose the address was at this time; null if it was none's. */
  msisdnOf(address: string, timeMs: number): string | null {
    return ownerAt(this.#leasesOf(address), timeMs);
  }

  /** Was the address more than one MSISDN's between the two times, both included? */
  changedHands(address: string, fromMs: number, toMs: number): boolean {
    const byLength = this.#leasesOf(address);
    const changes = byLength
      .flatMap((leases) => leases.slice(Math.max(0, lastIndexFrom(leases, fromMs)), lastIndexFrom(leases, toMs) + 1))
      .flatMap((lease) => [lease.fromMs, lease.toMs]);
    const times = [fromMs, toMs, ...changes.filter((timeMs) => fromMs < timeMs && timeMs < toMs)];
    const owners = new Set(times.map((timeMs) => ownerAt(byLength, timeMs)));
    owners.delete(null);
    return owners.size > 1;
  }

  /** The leases of the networks that hold the address, of the longest first. */
  #leasesOf(address: string): (readonly Lease[])[] {
    if (!parseIp(address, this.#address, 0)) return [];
    return this.#lengths
      .map((length) => this.#leases.of(formatCidr(networkOf({ words: this.#address, length }))))
      .filter((leases) => leases.length > 0);
  }
}

function ownerAt(byLength: readonly (readonly Lease[])[], timeMs: number): string | null {
  for (const leases of byLength) {
    const lease = leases[lastIndexFrom(leases, timeMs)];
    if (lease !== undefined && timeMs < lease.toMs) return lease.msisdn;
  }
  return null;
}

function parseNetwork(text: string) {
  const words = new Uint32Array(4);
  return parseIp(text, words, 0) ? { words, length: ADDRESS_BITS } : parseCidr(text);
}

function networkText(prefix: string): string | null {
  const cidr = parseNetwork(prefix);
  return cidr === null ? null : formatCidr(networkOf(cidr));
}
