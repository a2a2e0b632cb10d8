import { Leases } from './leases.ts';

const HEADER = 'imsi,from,to,msisdn';
const IMSI = /^\d{6,15}$/;

/** Which MSISDN an IMSI had at a time. */
export class Subscribers {
  readonly #leases: Leases;

  private constructor(leases: Leases) {
    this.#leases = leases;
  }

  /** Reads lines `imsi,from,to,msisdn`. Returns the faults by line where there are some; they show no IMSI. */
  static parse(text: string): Subscribers | string[] {
    const keyOf = (imsi: string) => (IMSI.test(imsi) ? imsi : null);
    const leases = Leases.parse(text, HEADER, keyOf, () => 'imsi is not 6 to 15 digits');
    return leases instanceof Leases ? new Subscribers(leases) : leases;
  }

  /** The MSISDN; null if the table has none for that time. */
  msisdnOf(imsi: string, timeMs: number): string | null {
    return this.#leases.msisdnOf(imsi, timeMs);
  }
}
