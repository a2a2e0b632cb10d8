/** Of a text that was not asked for yet. */
const UNASKED = -(2 ** 31);
const FIRST_TEXTS = 64;

/** The texts that the kernel has numbered. */
export interface KernelTexts {
  /** Numbers of texts are good as long as this is the same object. */
  readonly textGeneration: object;
  text(number: number): string;
}

/** A number for each of the kernel's texts, such as a node's or a tag's: it is asked for once, and then a look-up in an array. */
export class TextNumbers {
  readonly #numberOf: (text: string) => number;
  #numbers = new Int32Array(0);
  #generation: object | null = null;

  constructor(numberOf: (text: string) => number) {
    this.#numberOf = numberOf;
  }

  /** The number of the text that has this place in the kernel. */
  of(kernel: KernelTexts, text: number): number {
    if (this.#generation !== kernel.textGeneration) this.#begin(kernel.textGeneration);
    const known = text < this.#numbers.length ? this.#numbers[text] : UNASKED;
    return known === UNASKED ? this.#ask(kernel, text) : known;
  }

  /** Asks again from now on. */
  clear(): void {
    this.#numbers.fill(UNASKED);
  }

  #begin(generation: object): void {
    this.#generation = generation;
    this.clear();
  }

  #ask(kernel: KernelTexts, text: number): number {
    const before = this.#numbers;
    if (text >= before.length) {
      this.#numbers = new Int32Array(Math.max(FIRST_TEXTS, 2 ** Math.ceil(Math.log2(text + 1)))).fill(UNASKED);
      this.#numbers.set(before);
    }
    const number = this.#numberOf(kernel.text(text));
    this.#numbers[text] = number;
    return number;
  }
}

/** Names as small integers, in the order of their first appearance. */
export class Names {
  readonly #list: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #byText = new TextNumbers((name) => this.numberOf(name));

  get list(): readonly string[] {
    return this.#list;
  }

  numberOf(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const number = this.#list.push(name) - 1;
    this.#numbers.set(name, number);
    return number;
  }

  /** Writes to `out`, from `at` on, the numbers of the kernel's texts [from, to) of a column. */
  numberTexts(kernel: KernelTexts, texts: Int32Array, from: number, to: number, out: Int32Array, at: number): void {
    for (let row = from; row < to; row++) out[at + row - from] = this.#byText.of(kernel, texts[row]);
  }

  /** The number of one of the kernel's texts. */
  numberOfText(kernel: KernelTexts, text: number): number {
    return this.#byText.of(kernel, text);
  }
}

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

  /** The same for one of the kernel's texts. */
  codeOfText(kernel: KernelTexts, text: number): number {
    return FIRST_CODE - this.#names.numberOfText(kernel, text);
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

/** The fingerprint of a record in plain Avro, from `start` to `end` (`fingerprintOf`). Eight octets at a time, in two hashes. */
export function fingerprintOfDatum(octets: Uint8Array, start: number, end: number): number {
  let even = end - start;
  let odd = 0;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const low = octets[at] | (octets[at + 1] << 8) | (octets[at + 2] << 16) | (octets[at + 3] << 24);
    const high = octets[at + 4] | (octets[at + 5] << 8) | (octets[at + 6] << 16) | (octets[at + 7] << 24);
    even = mixWord(even, low);
    odd = mixWord(odd, high);
  }
  for (; at < end; at++) even = mixWord(even, octets[at]);
  return finish(mixWord(even, odd));
}

/** MurmurHash3's mixing (public domain, A. Appleby). */
export function mixWord(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const mixed = hash ^ Math.imul(k, 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

export function finish(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
