import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { ConfigError } from '../../platform/config/config-error.ts';
import { Audience, AudienceChangeList } from '../../rating/campaigns/audience.ts';
import { type MsisdnForms, msisdnFault, normalMsisdn } from '../../rating/record/msisdn.ts';
import { PSEUDONYM_OCTETS, type PseudonymKey } from '../../rating/subscribers.ts';

const PSEUDONYM = new RegExp(`^[0-9a-f]{${PSEUDONYM_OCTETS * 2}}$`, 'i');
const SHOWN_FAULTS = 20;
const DIGITS = /\d{5,}/g;
/** The erased subscriber would leave the audience by the same fact by which the number's next one comes in: that fact would lead from one to the other. */
const ERASED =
  'was erased: leave the line out. If its next subscriber has opted in, book it with `campaign opt-in`, and list the pseudonym here';
/** Subscribers that are added to the audience at once. */
const AT_ONCE = 100_000;

/**
 * Collects the subscribers of a list: MSISDNs, of which it keeps the pseudonyms alone, or pseudonyms. What may be a subscriber's number
 * is in no message.
 */
export class SubscriberList {
  readonly #key: Pick<PseudonymKey, 'pseudonymOf' | 'isErased'>;
  readonly #forms: MsisdnForms;
  readonly #faults: string[] = [];
  #faultCount = 0;
  #pending = new AudienceChangeList();
  #listed = Audience.EMPTY;
  readonly #isAudience: boolean;
  /** Entries that were read. */
  entries = 0;

  /** `isAudience`: it replaces the audience, and an old list may still name subscribers who were erased since. */
  constructor(key: Pick<PseudonymKey, 'pseudonymOf' | 'isErased'>, forms: MsisdnForms, isAudience: boolean) {
    this.#key = key;
    this.#forms = forms;
    this.#isAudience = isAudience;
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

  /** Whether a text has the number of a listed subscriber in it. */
  isNamedIn(text: string): boolean {
    const numbers = (text.match(DIGITS) ?? []).map((digits) => normalMsisdn(digits, this.#forms));
    const named = new AudienceChangeList();
    for (const number of numbers) if (number !== null) named.addOctets(this.#key.pseudonymOf(number), true);
    const pseudonyms = [...Audience.EMPTY.with(named).pseudonyms()];
    return pseudonyms.some(({ words, at }) => this.#listed.has(words, at));
  }

  /** Returns the pseudonym, or what is wrong with an entry. */
  #pseudonymOf(entry: string): Uint8Array | string {
    if (PSEUDONYM.test(entry)) return Buffer.from(entry, 'hex');
    const msisdn = normalMsisdn(entry, this.#forms);
    if (msisdn !== null) return this.#isAudience && this.#key.isErased(msisdn) ? ERASED : this.#key.pseudonymOf(msisdn);
    const fault = msisdnFault(entry, this.#forms);
    return `is no pseudonym of ${PSEUDONYM_OCTETS * 2} hex digits, and as an MSISDN it ${fault}`;
  }

  #flush(): void {
    this.#listed = this.#listed.with(this.#pending);
    this.#pending = new AudienceChangeList();
  }
}
