import { expect } from 'vitest';

/** What names a subscriber in flow records: MSISDN, IMSI, the terminal's address. */
export class Identities {
  readonly #known = new Set<string>();
  readonly #lengths = new Set<number>();

  get size(): number {
    return this.#known.size;
  }

  add(record: { servedMsisdn?: unknown; servedImsi?: unknown; terminalIp?: unknown }): void {
    for (const value of [record.servedMsisdn, record.servedImsi]) {
      if (!/^\d{10,}$/.test(String(value))) continue;
      this.#known.add(String(value));
      this.#lengths.add(String(value).length);
    }
    if (/^100\.|^fd64:/.test(String(record.terminalIp))) this.#known.add(String(record.terminalIp));
  }

  /** Fails where one of them is in a text, in clear, in UTF-16, in base64 or as bytes that were written as numbers. */
  expectNoneIn(text: string, what: string): void {
    const decoded = [...text.matchAll(/base64:([\w+/=]+)/g)].map(([, octets]) =>
      Buffer.from(octets, 'base64').toString('latin1'),
    );
    const bytes = [...text.matchAll(/\[?\b\d{2}(?:,\d{2}){9,}/g)].map(([list]) =>
      String.fromCharCode(
        ...list
          .replaceAll(/[^\d,]/g, '')
          .split(',')
          .map(Number),
      ),
    );
    const plain = [text, ...decoded, ...bytes].join('\n').replaceAll(/\0|\\u0000/g, '');
    expect(this.#foundIn(plain), what).toEqual([]);
  }

  #foundIn(text: string): string[] {
    const addresses = [...text.matchAll(/\b100\.\d+\.\d+\.\d+\b|\bfd64:[\da-f:]+/g)].map(([address]) => address);
    const windows = [...text.matchAll(/\d{10,}/g)].flatMap(([run]) =>
      [...this.#lengths].flatMap((length) =>
        Array.from({ length: Math.max(0, run.length - length + 1) }, (_, at) => run.slice(at, at + length)),
      ),
    );
    return [...new Set([...addresses, ...windows])].filter((candidate) => this.#known.has(candidate));
  }
}
