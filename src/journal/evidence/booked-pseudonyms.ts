import { isAccountCounter } from '../../rating/catalogue/further-quotas.ts';
import { readRecord } from '../../rating/pipeline.ts';
import { PseudonymKey } from '../../rating/subscribers.ts';
import { furtherQuotaRows } from './batch-lists.ts';
import type { DecodeAt } from './decoding-at.ts';
import type { StoredBatch, WalkedBatch } from './evidence.ts';

const PSEUDONYM_TEXT = /^~[0-9a-f]{32}$/;
const BASE64 = 'base64:';

/**
 * A pseudonym key that returns the booked pseudonyms of erased subscribers and accounts, which can no longer be computed. The
 * pseudonyms of all others are computed.
 */
export class BookedPseudonyms extends PseudonymKey {
  readonly #erased = new Set<string>();
  /** The journal's pseudonyms of the current batch, by number. */
  #booked: ReadonlyMap<string, Buffer> = new Map();
  /** The same by account. */
  #accounts: ReadonlyMap<string, Buffer> = new Map();

  constructor({ generations }: PseudonymKey) {
    super(generations);
  }

  /** Sets the pseudonyms of erased numbers, and accounts, from here on. */
  expect(booked: ReadonlyMap<string, Buffer>, accounts: ReadonlyMap<string, Buffer> = new Map()): void {
    this.#booked = booked;
    this.#accounts = accounts;
  }

  override pseudonymOf(number: string): Buffer {
    const pseudonym = super.pseudonymOf(number);
    if (!this.isErased(number)) return pseudonym;
    this.#erased.add(pseudonym.toString('hex'));
    return this.#booked.get(number) ?? pseudonym;
  }

  override pseudonymOfAccount(accountId: string): Buffer {
    const booked = this.#accounts.get(accountId);
    return booked !== undefined && this.isAccountErased(accountId) ? booked : super.pseudonymOfAccount(accountId);
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

/** The records of erased subscribers in one batch. */
export interface RecordsOfErased {
  /** The pseudonyms that the batch's rows have, by number. One batch has one pseudonym of a number. */
  booked: ReadonlyMap<string, Buffer>;
  /** Places in the batch of the records whose row has the pseudonym. */
  rows: readonly number[];
  /** Places and numbers of the records without a row. */
  withoutRow: readonly { place: number; number: string }[];
}

/** Returns the records of subscribers who were erased since the batch was booked, and their pseudonyms as far as the journal has them. */
export function recordsOfErased(
  { records }: Pick<WalkedBatch, 'records'>,
  decodeAt: DecodeAt,
  { rows: stored }: StoredBatch,
  key: PseudonymKey,
): RecordsOfErased {
  const booked = new Map<string, Buffer>();
  const rows: number[] = [];
  const withoutRow: { place: number; number: string }[] = [];
  const subscribers = new Map(stored.map(({ offset, subscriber }) => [Number(offset), subscriber as Uint8Array]));
  for (const [place, record] of records.entries()) {
    const read = readRecord(record, decodeAt(record.offset));
    if ('reason' in read || !key.isErased(read.servedMsisdn)) continue;
    const subscriber = subscribers.get(record.offset);
    if (subscriber === undefined) {
      withoutRow.push({ place, number: read.servedMsisdn });
      continue;
    }
    rows.push(place);
    booked.set(read.servedMsisdn, Buffer.from(subscriber));
  }
  return { booked, rows, withoutRow };
}

/**
 * Returns the pseudonyms that a batch's counters have of accounts that were erased since, by account: a counter names the record that it
 * counted last.
 */
export function accountsOfErased(
  { records }: Pick<WalkedBatch, 'records'>,
  decodeAt: DecodeAt,
  { lists }: StoredBatch,
  key: PseudonymKey,
): ReadonlyMap<string, Buffer> {
  const booked = new Map<string, Buffer>();
  if (key.generations.length === 1) return booked;
  const counted = new Map(
    furtherQuotaRows(lists)
      .filter(({ quotaId }) => isAccountCounter(quotaId))
      .map(({ offset, subscriber }) => [offset, subscriber]),
  );
  if (counted.size === 0) return booked;
  for (const record of records) {
    const subscriber = counted.get(record.offset);
    if (subscriber === undefined) continue;
    const read = readRecord(record, decodeAt(record.offset));
    if ('reason' in read || read.accountId === null || !key.isAccountErased(read.accountId)) continue;
    booked.set(read.accountId, Buffer.from(subscriber, 'hex'));
  }
  return booked;
}
