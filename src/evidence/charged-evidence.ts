import type { Store } from '../platform/clickhouse/store.ts';

/** When records of an application were last charged by some evidence. */
export interface ChargedEvidence {
  applicationId: string;
  /** What named the application, as the journal has it: `tag+ip`. */
  evidence: string;
  /** Day of the booking, as 2026-11-30. */
  lastDay: string;
}

/** By application and evidence; from sums that the journal keeps, not from its rows. */
export function readChargedEvidence(store: Pick<Store, 'query'>): Promise<ChargedEvidence[]> {
  return store.query<ChargedEvidence>(
    'SELECT application_id AS applicationId, toString(evidence) AS evidence, toString(max(booking_date)) AS lastDay ' +
      "FROM booking_totals WHERE origin = 'charge' GROUP BY ALL ORDER BY ALL",
  );
}
