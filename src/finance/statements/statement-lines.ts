import type { Store } from '../../platform/clickhouse/store.ts';
import { type Coverage, coveredBookings, withinCursors } from '../closing/coverage.ts';
import { type RatingTerms, readRatingTerms, termsExpression, tierEndsExpression } from '../corrections/rating-terms.ts';
import type { Month } from '../month.ts';
import { sumOf, tierAmountMicros } from './statement-arithmetic.ts';
import type { StatementLine, StatementTier } from './statement-document.ts';

/** The charges under one plan version and one list of tiers. */
interface LinePart {
  application: string;
  plan: string;
  version: number;
  usage: Month;
  terms: number;
  records: number;
  sponsored: string;
  subscriber: string;
  micros: string;
  /** Sponsored octets below the end of each tier. */
  below: string[];
}

/** Returns the covered charge rows, each with the digest and the catalogue of its batch. */
export function chargesWithBatches(coverage: Coverage): string {
  const charges =
    'SELECT application_id, plan_id, plan_version, month, topic, partition, offset, sponsored_octets, subscriber_octets, ' +
    `charge_micros, toInt64(used_octets_after) AS used FROM bookings WHERE origin = 'charge' AND ${coveredBookings(coverage)}`;
  const batches =
    'SELECT topic, partition, first_offset, offset AS last_offset, catalogue_hash, digest FROM journal ' +
    `WHERE kind = 'batch' AND gap_reason = '' AND ${withinCursors(coverage)}`;
  return (
    `(${charges}) AS charges ASOF INNER JOIN (${batches}) AS batches ON charges.topic = batches.topic ` +
    'AND charges.partition = batches.partition AND charges.offset <= batches.last_offset'
  );
}

/** Returns lines by application, plan, version and usage month, with the tiers of the catalogue of each row's batch. */
export async function readStatementLines(store: Store, coverage: Coverage): Promise<StatementLine[]> {
  const terms = await readRatingTerms(store, coverage);
  // A row's octets below a tier's end: its counter below that end after the row, less the same before it.
  const below = 'arrayMap(end -> least(used, end) - least(used - sponsored_octets, end), ends)';
  const parts = await store.query<LinePart>(
    'SELECT application_id AS application, plan_id AS plan, plan_version AS version, substring(toString(month), 1, 7) AS usage, ' +
      'terms, count() AS records, toString(sum(sponsored_octets)) AS sponsored, toString(sum(subscriber_octets)) AS subscriber, ' +
      `toString(sum(charge_micros)) AS micros, arrayMap(octets -> toString(octets), sumForEach(${below})) AS below ` +
      `FROM (SELECT *, ${termsExpression(terms)} AS terms, ${tierEndsExpression(terms, 'terms')} AS ends ` +
      `FROM ${chargesWithBatches(coverage)}) GROUP BY application, plan, version, usage, terms ` +
      'ORDER BY usage DESC, application, plan, version, terms',
  );
  const lines = new Map<string, LinePart[]>();
  for (const part of parts) {
    const key = JSON.stringify([part.application, part.plan, part.version, part.usage]);
    lines.set(key, [...(lines.get(key) ?? []), part]);
  }
  return [...lines.values()].map((parts) => lineOf(parts, terms, coverage.month));
}

/** Returns one line of the parts that differ in their tiers alone: the same version in two catalogues, with other prices. */
function lineOf(parts: readonly LinePart[], terms: readonly RatingTerms[], month: Month): StatementLine {
  const [{ application, plan, version, usage }] = parts;
  const chargeMicros = sumOf(parts, ({ micros }) => BigInt(micros));
  const tiers = parts.flatMap((part) => usedTiers(part, terms));
  return {
    applicationId: application,
    planId: plan,
    planVersion: version,
    usageMonth: usage,
    isAdjustment: usage !== month,
    records: parts.reduce((count, { records }) => count + Number(records), 0),
    sponsoredOctets: sumOf(parts, ({ sponsored }) => BigInt(sponsored)),
    subscriberOctets: sumOf(parts, ({ subscriber }) => BigInt(subscriber)),
    chargeMicros,
    tiers,
    roundingMicros: tiers.reduce((rest, { amountMicros }) => rest - amountMicros, chargeMicros),
  };
}

function usedTiers({ plan, version, terms: place, below }: LinePart, terms: readonly RatingTerms[]): StatementTier[] {
  const { tiers } = terms[place] ?? {};
  if (tiers === undefined) throw new Error(`no catalogue of the store has version ${version} of plan ${plan}`);
  return tiers
    .map((tier, at) => {
      const octets = BigInt(below[at]) - (at === 0 ? 0n : BigInt(below[at - 1]));
      return { ...tier, octets, amountMicros: tierAmountMicros(octets, tier.pricePerMiBMicros) };
    })
    .filter(({ octets }) => octets !== 0n);
}
