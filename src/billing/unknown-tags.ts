import { Names } from './names.ts';

/** Code of the first tag that no application claims; those of the others are below it. */
const FIRST_CODE = -2;

/** A batch's tags that no application claims, as codes from -2 downwards, in the order of their first appearance. */
export class UnknownTags {
  #names = new Names();

  codeOf(tag: string): number {
    return FIRST_CODE - this.#names.numberOf(tag);
  }

  /** The same for a tag in octets; ASCII. */
  codeOfOctets(octets: Uint8Array, start: number, end: number): number {
    return FIRST_CODE - this.#names.numberOfOctets(octets, start, end);
  }

  textOf(code: number): string {
    return this.#names.list[FIRST_CODE - code];
  }

  /** Code of the tag without a character, which says no more than none does; null where it did not occur. */
  get emptyCode(): number | null {
    const number = this.#names.list.indexOf('');
    return number < 0 ? null : FIRST_CODE - number;
  }

  clear(): void {
    if (this.#names.list.length > 0) this.#names = new Names();
  }
}
