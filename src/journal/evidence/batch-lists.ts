import { PSEUDONYM_OCTETS } from '../../rating/subscribers.ts';
import { RowBinaryReader } from '../row-binary.ts';

/** Records and octets of one application and reason. */
export interface OutcomeTotal {
  records: number;
  octets: number;
}

/** The outcomes of a batch's records, by `outcomeKey`. */
export type OutcomeList = ReadonlyMap<string, OutcomeTotal>;

/** An identity that a batch's record claimed: the record's place in the batch, and the identity. */
export interface SeenRecord {
  place: number;
  nodeId: string;
  sequence: number;
  fingerprint: number;
}

/** Returns the key of an outcome; the application is empty where none was recognised. */
export function outcomeKey(applicationId: string, reason: string): string {
  return `${reason} ${applicationId || '-'}`;
}

/** Reads the first four of a batch's lists: application ids, reasons, records, octets. */
export function outcomeList([applicationIds, reasons, records, octets]: readonly Uint8Array[]): OutcomeList {
  const [counts, sums] = [readerOf(records), readerOf(octets)];
  const words = texts(reasons);
  return new Map(
    texts(applicationIds).map((applicationId, at) => [
      outcomeKey(applicationId, words[at]),
      { records: counts.uint64(), octets: sums.uint64() },
    ]),
  );
}

/** The group of records that a leakage row sums. */
export interface LeakageGroup {
  applicationId: string;
  reason: string;
  prefix: string;
  tag: string;
  nodeId: string;
  /** Days since 1970-01-01. */
  day: number;
}

/** Returns the key of a leakage row. A remainder has no prefix; a remainder with any other field gets another key. */
export function leakageKey({ applicationId, reason, prefix, tag, nodeId, day }: LeakageGroup): string {
  const outcome = outcomeKey(applicationId, reason);
  if (prefix === '') return `${outcome} remainder${tag === '' && nodeId === '' && day === 0 ? '' : ' of something'}`;
  return `${outcome} ${prefix} ${JSON.stringify(tag)} ${nodeId} on day ${day}`;
}

/** Reads eight more, a batch's leakage by `leakageKey`. A key that occurs twice has both sums as one. */
export function leakageList(lists: readonly Uint8Array[]): OutcomeList {
  const [applicationIds, reasons, prefixes, tags, nodeIds] = lists.slice(9, 14).map(texts);
  const [days, counts, sums] = lists.slice(14, 17).map(readerOf);
  const leakage = new Map<string, OutcomeTotal>();
  for (const [at, applicationId] of applicationIds.entries()) {
    const group = { applicationId, reason: reasons[at], prefix: prefixes[at], tag: tags[at], nodeId: nodeIds[at] };
    const key = leakageKey({ ...group, day: days.uint16() });
    const { records, octets } = leakage.get(key) ?? { records: 0, octets: 0 };
    leakage.set(key, { records: records + counts.uint64(), octets: octets + sums.uint64() });
  }
  return leakage;
}

/** Reads five more: node ids, and for each identity its place, node, number and fingerprint. */
export function seenList(lists: readonly Uint8Array[]): SeenRecord[] {
  const [nodeIds, places, nodes, sequences, fingerprints] = lists.slice(4, 9);
  const names = texts(nodeIds);
  const [place, node, sequence, fingerprint] = [places, nodes, sequences, fingerprints].map(readerOf);
  const seen: SeenRecord[] = [];
  while (place.remaining > 0) {
    seen.push({
      place: place.uint32(),
      nodeId: names[node.uint32()],
      sequence: sequence.uint64(),
      fingerprint: fingerprint.uint32(),
    });
  }
  return seen;
}

/** What a batch's records left of a counter of a further quota. */
export interface FurtherQuotaMove {
  version: number;
  usedOctets: number;
  /** The record that counted last. */
  offset: number;
}

/** Returns the key of a further quota's counter. `subscriber`: pseudonym, 32 hex digits; `periodStart`: days since 1970-01-01. */
export function furtherQuotaKey(subscriber: string, quotaId: string, periodStart: number): string {
  return `${quotaId} of ${subscriber} since day ${periodStart}`;
}

/** The same with whose counter it is. */
export interface FurtherQuotaRow extends FurtherQuotaMove {
  /** Pseudonym of a subscriber or an account, 32 hex digits. */
  subscriber: string;
  quotaId: string;
  /** Days since 1970-01-01. */
  periodStart: number;
}

/** Reads the last six lists, a batch's moves of further quotas. */
export function furtherQuotaRows(lists: readonly Uint8Array[]): FurtherQuotaRow[] {
  const [subscribers, quotaIds, ...numbers] = lists.slice(17);
  const [subscriber, version, periodStart, usedOctets, offset] = [subscribers, ...numbers].map(readerOf);
  return texts(quotaIds).map((quotaId) => ({
    subscriber: Buffer.from(subscriber.octets(PSEUDONYM_OCTETS)).toString('hex'),
    quotaId,
    periodStart: periodStart.uint16(),
    version: version.uint32(),
    usedOctets: usedOctets.uint64(),
    offset: offset.uint64(),
  }));
}

/** Returns the same by `furtherQuotaKey`. */
export function furtherQuotaList(lists: readonly Uint8Array[]): ReadonlyMap<string, FurtherQuotaMove> {
  return new Map(
    furtherQuotaRows(lists).map(({ subscriber, quotaId, periodStart, ...move }) => [
      furtherQuotaKey(subscriber, quotaId, periodStart),
      move,
    ]),
  );
}

function readerOf(bytes: Uint8Array): RowBinaryReader {
  return new RowBinaryReader(Buffer.from(bytes));
}

function texts(bytes: Uint8Array): string[] {
  const reader = readerOf(bytes);
  const found: string[] = [];
  while (reader.remaining > 0) found.push(reader.text());
  return found;
}
