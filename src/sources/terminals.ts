import { formatCidr, networkOf, parseCidr, parseIp } from '../billing/ip-address.ts';
import { type MsisdnForms, msisdnFault, NORMAL_FORM_ONLY, normalMsisdn } from '../billing/msisdn.ts';

/** Whose an address was, and when. */
interface Lease {
  line: number;
  fromMs: number;
  /** Infinity: to this day. */
  toMs: number;
  msisdn: string;
}

const HEADER = 'prefix,from,to,msisdn';
const ADDRESS_BITS = 128;

/**
 * Which subscriber's an address was at a time, as RADIUS accounting tells it: from the start of a session to its end. Of nested
 * prefixes the longest wins.
 */
export class Terminals {
  /** By length the longest first; by network, as CIDR, its leases in the order of time. */
  readonly #byLength: readonly (readonly [length: number, leases: ReadonlyMap<string, readonly Lease[]>])[];
  readonly #address = new Uint32Array(4);

  private constructor(byLength: ReadonlyMap<number, ReadonlyMap<string, readonly Lease[]>>) {
    this.#byLength = [...byLength].sort(([a], [b]) => b - a);
  }

  /**
   * Reads lines `prefix,from,to,msisdn` under a header line that says so: an address or a network, two instants with their
   * offset, the second empty while the session lasts. Gives the faults by line where there are some: what cannot be read, and
   * sessions of one network that overlap.
   */
  static parse(text: string, msisdnForms: MsisdnForms = NORMAL_FORM_ONLY): Terminals | string[] {
    const [header, ...lines] = text.split(/\r?\n/);
    if (header !== HEADER) return [`1: expected the header line ${HEADER}`];
    const byLength = new Map<number, Map<string, Lease[]>>();
    const faults: string[] = [];
    lines.forEach((line, i) => {
      if (line === '') return;
      const read = leaseOf(line, i + 2, msisdnForms);
      if (typeof read === 'string') {
        faults.push(`${i + 2}: ${read}`);
        return;
      }
      const { length, network, lease } = read;
      const networks = byLength.get(length) ?? new Map<string, Lease[]>();
      const leases = networks.get(network) ?? [];
      leases.push(lease);
      byLength.set(length, networks.set(network, leases));
    });
    for (const networks of byLength.values()) for (const leases of networks.values()) faults.push(...overlaps(leases));
    return faults.length > 0 ? faults : new Terminals(byLength);
  }

  /** The MSISDN whose the address was at this time; null if it was none's. */
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
    const found: (readonly Lease[])[] = [];
    for (const [length, networks] of this.#byLength) {
      const leases = networks.get(formatCidr(networkOf({ words: this.#address, length })));
      if (leases !== undefined) found.push(leases);
    }
    return found;
  }
}

function ownerAt(byLength: readonly (readonly Lease[])[], timeMs: number): string | null {
  for (const leases of byLength) {
    const lease = leases[lastIndexFrom(leases, timeMs)];
    if (lease !== undefined && timeMs < lease.toMs) return lease.msisdn;
  }
  return null;
}

/** Index of the last lease that began at the time or before; -1 without one. */
function lastIndexFrom(leases: readonly Lease[], timeMs: number): number {
  let low = 0;
  let high = leases.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (leases[middle].fromMs <= timeMs) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function leaseOf(
  line: string,
  number: number,
  forms: MsisdnForms,
): { length: number; network: string; lease: Lease } | string {
  const [prefix, from, to, written, ...rest] = line.split(',');
  if (written === undefined || rest.length > 0) return `expected ${HEADER}`;
  const words = new Uint32Array(4);
  const cidr = parseIp(prefix, words, 0) ? { words, length: ADDRESS_BITS } : parseCidr(prefix);
  if (cidr === null) return `prefix ${JSON.stringify(prefix)} is no address and no network`;
  const [fromMs, toMs] = [instant(from), to === '' ? Number.POSITIVE_INFINITY : instant(to)];
  if (Number.isNaN(fromMs) || Number.isNaN(toMs))
    return 'from and to are times with their offset, as 2026-01-31T00:00:00Z';
  if (toMs <= fromMs) return `to ${to} is not after from ${from}`;
  const msisdn = normalMsisdn(written, forms);
  if (msisdn === null) return `msisdn ${msisdnFault(written, forms)}`;
  const network = formatCidr(networkOf(cidr));
  return { length: cidr.length, network, lease: { line: number, fromMs, toMs, msisdn } };
}

function instant(text: string): number {
  return /(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
}

function overlaps(leases: Lease[]): string[] {
  leases.sort((a, b) => a.fromMs - b.fromMs);
  return leases
    .slice(1)
    .flatMap(({ line, fromMs }, i) =>
      fromMs < leases[i].toMs ? [`${line}: the session begins before that of line ${leases[i].line} has ended`] : [],
    );
}
