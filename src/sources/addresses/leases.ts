import { parseCsv } from '../../formats/csv.ts';
import { MAX_PORT, type PortSpan, parsePortSpans } from '../../rating/flow-condition.ts';
import { type MsisdnForms, msisdnFault, NORMAL_FORM_ONLY, normalMsisdn } from '../../rating/record/msisdn.ts';

/** Whose a key was, and when. */
export interface Lease {
  line: number;
  fromMs: number;
  /** Infinity: to this day. */
  toMs: number;
  msisdn: string;
}

/** The leases of one block of ports of a key, in the order of time. */
export interface PortBlock extends PortSpan {
  leases: Lease[];
}

export interface LeaseFile {
  header: string;
  /** Another header that is understood, with blocks of ports (`ports`) behind the key. */
  headerWithPorts?: string;
  /** A key in its one form; null for what is none. */
  keyOf: (text: string) => string | null;
  keyFault: (text: string) => string;
  /** How MSISDNs may be written; absent: in the normal form. */
  forms?: MsisdnForms | undefined;
}

/** A lease as it is read; `ports`: of which block it is, null for the whole key. */
interface ReadLease extends Lease {
  ports: PortSpan | null;
}

/**
 * Which subscriber's a key was at a time. Read from lines `key,from,to,msisdn` under a header line: two instants with their
 * offset, the second empty while the lease lasts. With blocks of ports, as carrier-grade NAT gives them out (RFC 7422), a key may be
 * several subscribers' at one time: the lines are `key,ports,from,to,msisdn`, and empty ports are all of them.
 */
export class Leases {
  readonly #byKey: ReadonlyMap<string, readonly Lease[]>;
  readonly #blocksByKey: ReadonlyMap<string, readonly PortBlock[]>;

  private constructor(byKey: ReadonlyMap<string, readonly ReadLease[]>) {
    const whole = new Map<string, Lease[]>();
    const blocks = new Map<string, PortBlock[]>();
    for (const [key, leases] of byKey) {
      whole.set(
        key,
        leases.filter(({ ports }) => ports === null),
      );
      const own = blocksOf(leases);
      if (own.length > 0) blocks.set(key, own);
    }
    this.#byKey = whole;
    this.#blocksByKey = blocks;
  }

  /**
   * Reads the lines. Returns the faults by line where there are some: what cannot be read, and leases of one key, and of ports of it,
   * that overlap.
   */
  static parse(text: string, file: LeaseFile): Leases | string[] {
    const { header, headerWithPorts, keyOf, keyFault, forms = NORMAL_FORM_ONLY } = file;
    const rows = parseCsv(text);
    if (typeof rows === 'string') return [rows];
    const [first, ...leased] = rows;
    const columns = first?.cells.join();
    const hasPorts = headerWithPorts !== undefined && columns === headerWithPorts;
    if (!hasPorts && columns !== header) {
      return [`1: expected the header line ${[header, headerWithPorts ?? []].flat().join(' or ')}`];
    }
    const byKey = new Map<string, ReadLease[]>();
    const faults: string[] = [];
    for (const { line, cells } of leased) {
      const [keyText, ...others] = cells;
      const [portsText, from, to, msisdn, ...rest] = hasPorts ? others : ['', ...others];
      const key = keyOf(keyText);
      const ports = portsText === '' ? null : portBlock(portsText);
      if (msisdn === undefined || rest.length > 0) faults.push(`${line}: expected ${columns}`);
      else if (key === null) faults.push(`${line}: ${keyFault(keyText)}`);
      else if (ports === undefined) {
        faults.push(`${line}: ports ${JSON.stringify(portsText)} are no block from 1 to ${MAX_PORT}, as 1024-2047`);
      } else {
        const lease = leaseOf(from, to, msisdn, line, forms);
        if (typeof lease === 'string') faults.push(`${line}: ${lease}`);
        else if (byKey.has(key)) byKey.get(key)?.push({ ...lease, ports });
        else byKey.set(key, [{ ...lease, ports }]);
      }
    }
    for (const leases of byKey.values()) faults.push(...overlaps(leases));
    return faults.length > 0 ? faults : new Leases(byKey);
  }

  keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  /** The leases of a whole key, in the order of time. */
  of(key: string): readonly Lease[] {
    return this.#byKey.get(key) ?? [];
  }

  /** The blocks of ports of a key. Two with ports in common are never in force together. */
  blocksOf(key: string): readonly PortBlock[] {
    return this.#blocksByKey.get(key) ?? [];
  }
}

/** Returns the lease in force at a time, of leases in the order of time that do not overlap. */
export function leaseAt(leases: readonly Lease[], timeMs: number): Lease | undefined {
  const lease = leases[lastIndexFrom(leases, timeMs)];
  return lease !== undefined && timeMs < lease.toMs ? lease : undefined;
}

/** Index of the last lease that began at the time or before; -1 without one. */
export function lastIndexFrom(leases: readonly Lease[], timeMs: number): number {
  let low = 0;
  let high = leases.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (leases[middle].fromMs <= timeMs) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function blocksOf(leases: readonly ReadLease[]): PortBlock[] {
  const blocks = new Map<string, PortBlock>();
  for (const { ports, ...lease } of leases) {
    if (ports === null) continue;
    const name = `${ports.first}-${ports.last}`;
    const block = blocks.get(name) ?? { ...ports, leases: [] };
    block.leases.push(lease);
    blocks.set(name, block);
  }
  return [...blocks.values()];
}

/** Undefined for what is no block. Port 0 is none: a flow without ports has it. */
function portBlock(text: string): PortSpan | undefined {
  const span = parsePortSpans([text])?.[0];
  return span !== undefined && span.first > 0 ? span : undefined;
}

function leaseOf(from: string, to: string, written: string, line: number, forms: MsisdnForms): Lease | string {
  const [fromMs, toMs] = [instant(from), to === '' ? Number.POSITIVE_INFINITY : instant(to)];
  if (Number.isNaN(fromMs) || Number.isNaN(toMs))
    return 'from and to are times with their offset, as 2026-01-31T00:00:00Z';
  if (toMs <= fromMs) return `to ${to} is not after from ${from}`;
  const msisdn = normalMsisdn(written, forms);
  if (msisdn === null) return `msisdn ${msisdnFault(written, forms)}`;
  return { line, fromMs, toMs, msisdn };
}

function instant(text: string): number {
  return /(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
}

/** Sorts the leases by time, and names for each one that another of the same ports has not ended when it begins. */
function overlaps(leases: ReadLease[]): string[] {
  leases.sort((a, b) => a.fromMs - b.fromMs);
  let open: ReadLease[] = [];
  return leases.flatMap((lease) => {
    open = open.filter(({ toMs }) => toMs > lease.fromMs);
    const before = open.find(({ ports }) => ports === null || lease.ports === null || doOverlap(ports, lease.ports));
    open.push(lease);
    if (before === undefined) return [];
    const isShared = before.ports !== null || lease.ports !== null;
    const remedy = isShared ? ', and both have ports in common: end it, or give them blocks apart' : '';
    return [`${lease.line}: the session begins before that of line ${before.line} has ended${remedy}`];
  });
}

function doOverlap(a: PortSpan, b: PortSpan): boolean {
  return a.first <= b.last && b.first <= a.last;
}
