import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { ConfigError } from '../../platform/config/config-error.ts';
import { Audience, AudienceChangeList } from '../../rating/campaigns/audience.ts';
import { type MsisdnForms, msisdnFault, normalMsisdn } from '../../rating/record/msisdn.ts';
import { PSEUDONYM_OCTETS, type PseudonymKey } from '../../rating/subscribers.ts';

const PSEUDONYM = new RegExp(`^[0-9a-f]{${PSEUDONYM_OCTETS * 2}}$`, 'i');
const SHOWN_FAULTS = 20;
/** Subscribers that are added to the audience at once. */
const AT_ONCE = 100_000;

/**
 * Collects the subscribers of a list: MSISDNs, of which it keeps the pseudonyms alone, or pseudonyms. What may be a subscriber's number
 * is in no message.
 */
export class SubscriberList {
  readonly #key: Pick<PseudonymKey, 'pseudonymOf'>;
  readonly #forms: MsisdnForms;
  readonly #faults: string[] = [];
  #faultCount = 0;
  #pending = new AudienceChangeList();
  #listed = Audience.EMPTY;
  /** Entries that were read. */
  entries = 0;

  constructor(key: Pick<PseudonymKey, 'pseudonymOf'>, forms: MsisdnForms) {
    this.#key = key;
    this.#forms = forms;
  }

  /** Adds an entry. `place`: where a message says that it is. */
  add(entry: string, place: string): void {
    const pseudonym = this.#pseudonymOf(entry);
    if (typeof pseudonym === 'string') {
      this.#faultCount++;
      if (this.#faults.length < SHOWN_FAULTS) this.#faults.push(`${place}: ${pseudonym}`);
      return;
    }
    this.entries++;
    this.#pending.addOctets(pseudonym, true);
    if (this.#pending.count >= AT_ONCE) this.#flush();
  }

  /** Adds the lines of a file (`-`: of standard input) as they are read. Empty lines and those that begin with # are left out. */
  async addFile(file: string): Promise<void> {
    const input = file === '-' ? process.stdin : createReadStream(file);
    let line = 0;
    try {
      for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
        line++;
        const entry = (line === 1 ? text.replace(/^\uFEFF/, '') : text).trim();
        if (entry !== '' && !entry.startsWith('#')) this.add(entry, `${file}:${line}`);
      }
    } catch (error) {
      throw new ConfigError(
        `${file}: cannot be read (${(error as Error).message}); name a file with a subscriber on each line`,
      );
    }
  }

  /** Returns the subscribers. Throws a ConfigError with the faults by line. */
  listed(): Audience {
    if (this.#faultCount > 0) {
      const rest = this.#faultCount - this.#faults.length;
      throw new ConfigError(rest > 0 ? [...this.#faults, `and ${rest} more`] : this.#faults);
    }
    this.#flush();
    return this.#listed;
  }

  /** Returns the pseudonym, or what is wrong with an entry. */
  #pseudonymOf(entry: string): Uint8Array | string {
    if (PSEUDONYM.test(entry)) return Buffer.from(entry, 'hex');
    const msisdn = normalMsisdn(entry, this.#forms);
    if (msisdn !== null) return this.#key.pseudonymOf(msisdn);
    const fault = msisdnFault(entry, this.#forms);
    return `is no pseudonym of ${PSEUDONYM_OCTETS * 2} hex digits, and as an MSISDN it ${fault}`;
  }

  #flush(): void {
    this.#listed = this.#listed.with(this.#pending);
    this.#pending = new AudienceChangeList();
  }
}
