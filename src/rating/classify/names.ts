import { ABSENT, OctetMap } from './octet-map.ts';

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
