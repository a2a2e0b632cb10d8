import { parseCsv } from '../../formats/csv.ts';
import { type MsisdnForms, msisdnFault, NORMAL_FORM_ONLY, normalMsisdn } from '../../rating/record/msisdn.ts';

/** Whose a key was, and when. */
export interface Lease {
  line: number;
  fromMs: number;
  /** Infinity: to this day. */
  toMs: number;
  msisdn: string;
}

export interface LeaseFile {
  header: string;
  /** A key in its one form; null for what is none. */
  keyOf: (text: string) => string | null;
  keyFault: (text: string) => string;
  /** How MSISDNs may be written; absent: in the normal form. */
  forms?: MsisdnForms | undefined;
}

/**
 * Which subscriber's a key was at a time. Read from lines `key,from,to,msisdn` under a header line: two instants with their
 * offset, the second empty while the lease lasts.
 */
export class Leases {
  readonly #byKey: ReadonlyMap<string, readonly Lease[]>;

  private constructor(byKey: ReadonlyMap<string, readonly Lease[]>) {
    this.#byKey = byKey;
  }

  /**
   * Reads the lines. Returns the faults by line where there are some: what cannot be read, and leases of one key that overlap.
   */
  static parse(text: string, { header, keyOf, keyFault, forms = NORMAL_FORM_ONLY }: LeaseFile): Leases | string[] {
    const rows = parseCsv(text);
    if (typeof rows === 'string') return [rows];
    const [first, ...leased] = rows;
    if (first?.cells.join() !== header) return [`1: expected the header line ${header}`];
    const byKey = new Map<string, Lease[]>();
    const faults: string[] = [];
    for (const { line, cells } of leased) {
      const [keyText, from, to, msisdn, ...rest] = cells;
      const key = keyOf(keyText);
      if (msisdn === undefined || rest.length > 0) faults.push(`${line}: expected ${header}`);
      else if (key === null) faults.push(`${line}: ${keyFault(keyText)}`);
      else {
        const lease = leaseOf(from, to, msisdn, line, forms);
        if (typeof lease === 'string') faults.push(`${line}: ${lease}`);
        else if (byKey.has(key)) byKey.get(key)?.push(lease);
        else byKey.set(key, [lease]);
      }
    }
    for (const leases of byKey.values()) faults.push(...overlaps(leases));
    return faults.length > 0 ? faults : new Leases(byKey);
  }

  keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  /** The leases of a key, in the order of time. */
  of(key: string): readonly Lease[] {
    return this.#byKey.get(key) ?? [];
  }
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

function overlaps(leases: Lease[]): string[] {
  leases.sort((a, b) => a.fromMs - b.fromMs);
  return leases
    .slice(1)
    .flatMap(({ line, fromMs }, i) =>
      fromMs < leases[i].toMs ? [`${line}: the session begins before that of line ${leases[i].line} has ended`] : [],
    );
}
