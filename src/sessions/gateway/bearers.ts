import { randomUUID } from 'node:crypto';
import type { RecordSpool, StoredBearer } from './record-spool.ts';

export type BearerOutcome = { bearer: StoredBearer } | { refusal: 'no_address_left' };

/** The terminals that are attached: each bearer has an address that no other has. They outlive the process. */
export class Bearers {
  readonly #spool: RecordSpool;
  readonly #byId = new Map<string, StoredBearer>();
  readonly #taken = new Set<string>();
  readonly #firstAddress: number;
  readonly #lastAddress: number;
  #nextAddress: number;

  /** `prefix`: IPv4, `127.64.0.0/16`. */
  constructor(spool: RecordSpool, prefix: string) {
    this.#spool = spool;
    const [network, length] = prefix.split('/');
    const size = 2 ** (32 - Number(length));
    const base = Math.floor(addressNumber(network) / size) * size;
    // Neither the network's own address nor its broadcast address.
    this.#firstAddress = base + 1;
    this.#lastAddress = base + size - 2;
    for (const bearer of spool.bearers()) this.#hold(bearer);
    const used = [...this.#taken].map(addressNumber).filter((number) => number <= this.#lastAddress);
    this.#nextAddress = Math.max(this.#firstAddress, ...used.map((number) => number + 1));
  }

  get(bearerId: string): StoredBearer | null {
    return this.#byId.get(bearerId) ?? null;
  }

  create(msisdn: string, imsi: string | null): BearerOutcome {
    const terminalIp = this.#freeAddress();
    if (terminalIp === null) return { refusal: 'no_address_left' };
    const chargingId = this.#spool.takeChargingId();
    const bearer = { bearerId: randomUUID(), msisdn, imsi, terminalIp, chargingId, nextRecordSequenceNumber: 1 };
    this.#hold(bearer);
    this.#spool.putBearer(bearer);
    return { bearer };
  }

  /** False when there is no such bearer. */
  remove(bearerId: string): boolean {
    const bearer = this.#byId.get(bearerId);
    if (bearer === undefined) return false;
    this.#byId.delete(bearerId);
    this.#taken.delete(bearer.terminalIp);
    this.#spool.removeBearer(bearerId);
    return true;
  }

  #hold(bearer: StoredBearer): void {
    this.#byId.set(bearer.bearerId, bearer);
    this.#taken.add(bearer.terminalIp);
  }

  /** One after the other, round and round: an address rests as long as possible before another terminal has it. */
  #freeAddress(): string | null {
    const size = this.#lastAddress - this.#firstAddress + 1;
    for (let tried = 0; tried < size; tried++) {
      if (this.#nextAddress > this.#lastAddress) this.#nextAddress = this.#firstAddress;
      const address = addressText(this.#nextAddress++);
      if (!this.#taken.has(address)) return address;
    }
    return null;
  }
}

function addressNumber(text: string): number {
  return text.split('.').reduce((number, part) => number * 256 + Number(part), 0);
}

function addressText(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');
}
