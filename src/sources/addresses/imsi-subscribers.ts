import type { MsisdnForms } from '../../rating/record/msisdn.ts';
import { Leases, lastIndexFrom } from './leases.ts';

const HEADER = 'imsi,from,to,msisdn';
const IMSI = /^\d{6,15}$/;

/** Which MSISDN an IMSI had at a time. */
export class Subscribers {
  readonly #leases: Leases;

  private constructor(leases: Leases) {
    this.#leases = leases;
  }

  /** Reads lines `imsi,from,to,msisdn`. Returns the faults by line where there are some; they show no IMSI. */
  static parse(text: string, forms?: MsisdnForms): Subscribers | string[] {
    const keyOf = (imsi: string) => (IMSI.test(imsi) ? imsi : null);
    const leases = Leases.parse(text, { header: HEADER, keyOf, keyFault: () => 'imsi is not 6 to 15 digits', forms });
    return leases instanceof Leases ? new Subscribers(leases) : leases;
  }

  /** The MSISDN; null if the table has none for that time. */
  msisdnOf(imsi: string, timeMs: number): string | null {
    const leases = this.#leases.of(imsi);
    const lease = leases[lastIndexFrom(leases, timeMs)];
    return lease !== undefined && timeMs < lease.toMs ? lease.msisdn : null;
  }
}
