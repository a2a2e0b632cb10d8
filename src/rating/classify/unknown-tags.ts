import { Names } from './names.ts';

/** Code of the first tag that no application claims; those of the others are below it. */
const FIRST_CODE = -2;

/** As long as a subscriber's number or longer, its digits apart by one character at most. */
const NUMBER = /\d(?:\D?\d){6,}/gu;

/** A tag with `#` for each digit of what may be a subscriber's number: a client can put one there, and the journal must not keep it. */
function withoutNumbers(tag: string): string {
  return tag.replace(NUMBER, (number) => number.replace(/\d/g, '#'));
}

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

  /** The tag, as `withoutNumbers` shows it. */
  textOf(code: number): string {
    return withoutNumbers(this.#names.list[FIRST_CODE - code]);
  }

  /**
   * Codes that leakage takes for another: of the tag without a character, which says no more than none does, `noTag`; of tags
   * that show the same text, that of the first.
   */
  aliases(noTag: number): ReadonlyMap<number, number> {
    const aliases = new Map<number, number>();
    const byText = new Map<string, number>([['', noTag]]);
    for (const [number, tag] of this.#names.list.entries()) {
      const text = withoutNumbers(tag);
      const first = byText.get(text);
      if (first === undefined) byText.set(text, FIRST_CODE - number);
      else aliases.set(FIRST_CODE - number, first);
    }
    return aliases;
  }

  clear(): void {
    if (this.#names.list.length > 0) this.#names = new Names();
  }
}
