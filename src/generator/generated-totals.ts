import type { GeneratedRecord } from './generated-record.ts';
import type { Malformation } from './malformations.ts';

/**
 * The exact totals: records = valid + malformed + duplicates + conflicting, and valid = tagged + ipMatched + identified +
 * tagAndIp + unmatched. Octets are those of the valid records.
 */
export interface GeneratedTotals {
  records: number;
  /** Valid, first occurrences. */
  valid: number;
  malformed: number;
  malformedBy: Partial<Record<Malformation, number>>;
  duplicates: number;
  conflicting: number;
  /** Of the valid ones, those with usage before the span. */
  late: number;
  tagged: number;
  ipMatched: number;
  identified: number;
  tagAndIp: number;
  /** Of the valid ones, those with no application's tag, address or identity. */
  unmatched: number;
  uplinkOctets: number;
  downlinkOctets: number;
}

export interface TotalsCounter {
  add(generated: GeneratedRecord): void;
  read(): GeneratedTotals;
}

export function createTotals(): TotalsCounter {
  const totals = {
    records: 0,
    valid: 0,
    malformed: 0,
    malformedBy: {} as Partial<Record<Malformation, number>>,
    duplicates: 0,
    conflicting: 0,
    late: 0,
    tagged: 0,
    ipMatched: 0,
    identified: 0,
    tagAndIp: 0,
    unmatched: 0,
    uplinkOctets: 0,
    downlinkOctets: 0,
  } satisfies GeneratedTotals;
  return { add: (generated) => count(totals, generated), read: () => structuredClone(totals) };
}

function count(totals: GeneratedTotals, generated: GeneratedRecord): void {
  totals.records += 1;
  switch (generated.kind) {
    case 'malformed':
      totals.malformed += 1;
      totals.malformedBy[generated.malformation] = (totals.malformedBy[generated.malformation] ?? 0) + 1;
      return;
    case 'duplicate':
      totals.duplicates += 1;
      return;
    case 'conflicting':
      totals.conflicting += 1;
      return;
    case 'late':
      totals.late += 1;
      break;
    case 'usual':
      break;
  }
  totals.valid += 1;
  totals[generated.evidence] += 1;
  totals.uplinkOctets += generated.record.uplinkOctets;
  totals.downlinkOctets += generated.record.downlinkOctets;
}
