/**
 * Texts by number, and numbers by text, in flat arrays: threads share them as they are, where a Map would have to be made again in
 * each of them.
 */
export interface TextTableData {
  /** UTF-16 code units of all texts, one after the other in the order of their numbers. */
  units: Uint16Array;
  /** By number: where its text ends in `units`. */
  ends: Uint32Array;
  /** Open addressing by `hashOf`: number + 1, or 0 where nothing is. At most half of the slots are taken, and their count is a power of two. */
  slots: Uint32Array;
}

/** Of a text that is not in the table. */
export const NO_TEXT_NUMBER = -1;

/** The numbers are the places in the list, in which each text is once. */
export function textTable(texts: readonly string[]): TextTableData {
  const units = new Uint16Array(texts.reduce((sum, { length }) => sum + length, 0));
  const ends = new Uint32Array(texts.length);
  const slots = new Uint32Array(2 ** Math.ceil(Math.log2(texts.length * 2 + 1)));
  let end = 0;
  texts.forEach((text, number) => {
    for (let i = 0; i < text.length; i++) units[end++] = text.charCodeAt(i);
    ends[number] = end;
    let slot = hashOf(text) & (slots.length - 1);
    while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
    slots[slot] = number + 1;
  });
  return { units, ends, slots };
}

/** Reads a table. */
export class TextTable {
  readonly #units: Uint16Array;
  readonly #ends: Uint32Array;
  readonly #slots: Uint32Array;

  constructor({ units, ends, slots }: TextTableData) {
    this.#units = units;
    this.#ends = ends;
    this.#slots = slots;
  }

  get length(): number {
    return this.#ends.length;
  }

  /** Returns a text's number, or NO_TEXT_NUMBER. */
  numberOf(text: string): number {
    const mask = this.#slots.length - 1;
    for (let slot = hashOf(text) & mask; ; slot = (slot + 1) & mask) {
      const number = this.#slots[slot] - 1;
      if (number < 0) return NO_TEXT_NUMBER;
      if (this.#isText(number, text)) return number;
    }
  }

  /** Returns the text of a number; undefined where there is none. */
  at(number: number): string | undefined {
    if (!(number >= 0 && number < this.length)) return undefined;
    let text = '';
    for (let i = this.#begin(number); i < this.#ends[number]; i++) text += String.fromCharCode(this.#units[i]);
    return text;
  }

  #isText(number: number, text: string): boolean {
    const begin = this.#begin(number);
    if (this.#ends[number] - begin !== text.length) return false;
    for (let i = 0; i < text.length; i++) if (this.#units[begin + i] !== text.charCodeAt(i)) return false;
    return true;
  }

  #begin(number: number): number {
    return number === 0 ? 0 : this.#ends[number - 1];
  }
}

/** FNV-1a over UTF-16 code units (public domain, G. Fowler, L. C. Noll, K.-P. Vo), its high bits mixed into the low ones. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
