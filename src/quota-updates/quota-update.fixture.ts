import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import type { AvroSchema } from '../billing/decode-avro.ts';
import type { QuotaUpdate } from '../billing/quota-update.ts';
import { packagePath } from '../platform/package-paths.ts';

export const QUOTA_UPDATE_SCHEMA = JSON.parse(
  readFileSync(packagePath('schemas/quota-update.avsc'), 'utf8'),
) as AvroSchema;

export function quotaUpdate(fields: Partial<QuotaUpdate> = {}): QuotaUpdate {
  return {
    subscriber: '0123456789abcdef0123456789abcdef',
    sponsorId: 'acme',
    applicationId: 'acme-chat',
    planId: 'acme-chat-daily',
    planVersion: 1,
    periodStart: 20_780,
    quotaOctets: 1_048_576,
    usedOctets: 1000,
    remainingOctets: 1_047_576,
    thresholdReached: 0,
    version: 7,
    topic: 'flows',
    partition: 3,
    offset: 41,
    ...fields,
  };
}

/** avsc holds longs to 2^53 - 2. */
const octets = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 1 });
const name = fc.string({ unit: 'grapheme', maxLength: 20 });

export const anyQuotaUpdate: fc.Arbitrary<QuotaUpdate> = fc.record({
  subscriber: fc.stringMatching(/^[0-9a-f]{32}$/),
  sponsorId: name,
  applicationId: name,
  planId: name,
  planVersion: fc.nat(),
  periodStart: fc.integer({ min: 0, max: 65_535 }),
  quotaOctets: octets,
  usedOctets: octets,
  remainingOctets: octets,
  thresholdReached: fc.integer({ min: 0, max: 10_000 }),
  version: octets,
  topic: name,
  partition: fc.nat(),
  offset: octets,
});
