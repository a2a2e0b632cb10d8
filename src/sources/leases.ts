const MSISDN = /^\d{1,15}$/;

/** Whose a key was, and when. */
interface Lease {
  line: number;
  fromMs: number;
  /** Infinity: to this day. */
  toMs: number;
  msisdn: string;
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
   * `keyOf` gives a key in its one form, or null with `keyFault` for what is none.
   */
  static parse(
    text: string,
    header: string,
    keyOf: (text: string) => string | null,
    keyFault: (text: string) => string,
  ): Leases | string[] {
    const [first, ...lines] = text.split(/\r?\n/);
    if (first !== header) return [`1: expected the header line ${header}`];
    const byKey = new Map<string, Lease[]>();
    const faults: string[] = [];
    lines.forEach((line, i) => {
      if (line === '') return;
      const [keyText, from, to, msisdn, ...rest] = line.split(',');
      const key = keyOf(keyText);
      if (msisdn === undefined || rest.length > 0) faults.push(`${i + 2}: expected ${header}`);
      else if (key === null) faults.push(`${i + 2}: ${keyFault(keyText)}`);
      else {
        const lease = leaseOf(from, to, msisdn, i + 2);
        if (typeof lease === 'string') faults.push(`${i + 2}: ${lease}`);
        else byKey.set(key, [...(byKey.get(key) ?? []), lease]);
      }
    });
    for (const leases of byKey.values()) faults.push(...overlaps(leases));
    return faults.length > 0 ? faults : new Leases(byKey);
  }

  keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  /** The MSISDN; null if the key was nobody's then. */
  msisdnOf(key: string, timeMs: number): string | null {
    return this.#byKey.get(key)?.find(({ fromMs, toMs }) => fromMs <= timeMs && timeMs < toMs)?.msisdn ?? null;
  }
}

function leaseOf(from: string, to: string, msisdn: string, line: number): Lease | string {
  const [fromMs, toMs] = [instant(from), to === '' ? Number.POSITIVE_INFINITY : instant(to)];
  if (Number.isNaN(fromMs) || Number.isNaN(toMs))
    return 'from and to are times with their offset, as 2026-01-31T00:00:00Z';
  if (toMs <= fromMs) return `to ${to} is not after from ${from}`;
  if (!MSISDN.test(msisdn)) return 'msisdn is not 1 to 15 digits';
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
