import { PseudonymKey } from '../../rating/subscribers.ts';

const PSEUDONYM_TEXT = /^~[0-9a-f]{32}$/;
const BASE64 = 'base64:';

/**
 * A pseudonym key that returns the booked pseudonyms of erased subscribers, which can no longer be computed. The pseudonyms
 * of all other subscribers are computed.
 */
export class BookedPseudonyms extends PseudonymKey {
  readonly #erased = new Set<string>();
  /** The journal's pseudonyms of the current batch, by number. */
  #booked: ReadonlyMap<string, Buffer> = new Map();

  constructor({ generations }: PseudonymKey) {
    super(generations);
  }

  /** Sets the pseudonyms of erased numbers from here on. */
  expect(booked: ReadonlyMap<string, Buffer>): void {
    this.#booked = booked;
  }

  override pseudonymOf(number: string): Buffer {
    const pseudonym = super.pseudonymOf(number);
    if (!this.isErased(number)) return pseudonym;
    this.#erased.add(pseudonym.toString('hex'));
    return this.#booked.get(number) ?? pseudonym;
  }

  /** Returns a payload as computed now, with the pseudonyms of erased subscribers from the same places of `booked`. */
  payloadAsBooked(computed: string, booked: string): string {
    if (this.#erased.size === 0) return computed;
    if (!computed.startsWith(BASE64)) return this.#exchange(computed, booked);
    if (!booked.startsWith(BASE64)) return computed;
    const [now, then] = [computed, booked].map((text) =>
      Buffer.from(text.slice(BASE64.length), 'base64').toString('latin1'),
    );
    return BASE64 + Buffer.from(this.#exchange(now, then), 'latin1').toString('base64');
  }

  #exchange(computed: string, booked: string): string {
    return computed.replace(/~([0-9a-f]{1,32})/g, (mark, hex: string, at: number) => {
      const then = booked.slice(at, at + mark.length);
      // The cap may have cut the last one.
      const isErased = [...this.#erased].some((pseudonym) => pseudonym.startsWith(hex));
      const isPseudonym = PSEUDONYM_TEXT.test(then) || (hex.length < 32 && /^~[0-9a-f]+$/.test(then));
      return isErased && isPseudonym ? then : mark;
    });
  }
}
