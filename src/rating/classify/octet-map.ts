import { finish } from '../record/fingerprint.ts';

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
