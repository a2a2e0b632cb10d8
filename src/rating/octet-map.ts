/** What `get` gives for a text that was never set. */
export const ABSENT = -(2 ** 31);

/** Numbers by short texts, looked up by the octets where they are: no string is made. */
export class OctetMap {
  #texts: (Uint8Array | undefined)[] = new Array(16).fill(undefined);
  #hashes = new Uint32Array(16);
  #numbers = new Int32Array(16);
  #count = 0;

  get(octets: Uint8Array, start: number, end: number): number {
    const slot = this.#slot(octets, start, end, hashOf(octets, start, end));
    return this.#texts[slot] === undefined ? ABSENT : this.#numbers[slot];
  }

  /** The octets are copied. */
  set(octets: Uint8Array, start: number, end: number, number: number): void {
    if ((this.#count + 1) * 2 > this.#texts.length) this.#grow();
    const hash = hashOf(octets, start, end);
    const slot = this.#slot(octets, start, end, hash);
    if (this.#texts[slot] === undefined) this.#count++;
    this.#texts[slot] = octets.slice(start, end);
    this.#hashes[slot] = hash;
    this.#numbers[slot] = number;
  }

  #slot(octets: Uint8Array, start: number, end: number, hash: number): number {
    const mask = this.#texts.length - 1;
    let slot = hash & mask;
    for (let text = this.#texts[slot]; text !== undefined; text = this.#texts[slot]) {
      if (this.#hashes[slot] === hash && isText(text, octets, start, end)) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    const [texts, numbers] = [this.#texts, this.#numbers];
    this.#texts = new Array(texts.length * 2).fill(undefined);
    this.#hashes = new Uint32Array(texts.length * 2);
    this.#numbers = new Int32Array(texts.length * 2);
    this.#count = 0;
    texts.forEach((text, slot) => {
      if (text !== undefined) this.set(text, 0, text.length, numbers[slot]);
    });
  }
}

function hashOf(octets: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ octets[at], 0x01000193);
  return finish(hash);
}

function isText(text: Uint8Array, octets: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let at = 0; at < text.length; at++) if (text[at] !== octets[start + at]) return false;
  return true;
}

/** Names as small integers, in the order of their first appearance. */
export class Names {
  readonly #list: string[] = [];
  readonly #numbers = new Map<string, number>();

  readonly #octets = new OctetMap();

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

  /** The same for a name in octets; ASCII. */
  numberOfOctets(octets: Uint8Array, start: number, end: number): number {
    let number = this.#octets.get(octets, start, end);
    if (number !== ABSENT) return number;
    number = this.numberOf(Buffer.from(octets.buffer, octets.byteOffset + start, end - start).toString('latin1'));
    this.#octets.set(octets, start, end, number);
    return number;
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
