import type { Candidate } from '../../rating/flow-record.ts';
import { RECORDS_PER_CDR } from '../../rating/record/cdr-numbering.ts';
import { readBer } from './ber.ts';
import { byTag, type Fields, type ReadCdr } from './cdr-fields.ts';
import type { CdrMapping } from './cdr-mapping.ts';
import { subscriberFields } from './cdr-subscriber.ts';
import { readChfCdr } from './chf-cdr.ts';
import { readPgwCdr, readSgwCdr } from './pgw-cdr.ts';

/** By their tags in GPRSRecord and CHFRecord (TS 32.298). */
const READERS: ReadonlyMap<number, (fields: Fields, mapping: CdrMapping) => ReadCdr> = new Map([
  [78, readSgwCdr],
  [79, readPgwCdr],
  [200, readChfCdr],
]);

/**
 * The flow records of one CDR, as `docs/reference/cdr.md` maps them: one for each container; for a CDR without any, one of 0 octets, so
 * that its number is not missing. A text says why the octets are no such CDR. Never throws.
 */
export function cdrFlowRecords(octets: Uint8Array, mapping: CdrMapping): Candidate[] | string {
  const record = readBer(octets);
  if (typeof record === 'string') return record;
  const reader = READERS.get(record.tag);
  if (reader === undefined) return `no PGW-CDR and no CHF-CDR: its tag is ${record.tag}, not 79 or 200`;
  const { common, subscriber, number, usages, unused, fault } = reader(byTag(record), mapping);
  if (usages.length >= RECORDS_PER_CDR) return `${usages.length} containers`;
  const numbered = (place: number) => (typeof number === 'number' ? number * RECORDS_PER_CDR + place : number);
  const recordOf = (usage: Candidate, place: number) => ({
    ...common,
    localSequenceNumber: numbered(place),
    ...subscriberFields(subscriber, usage.startTime, mapping),
    ...usage,
    ...(fault && { fault }),
  });
  return usages.length === 0 || fault ? [recordOf(unused, 0)] : usages.map((usage, i) => recordOf(usage, i + 1));
}
