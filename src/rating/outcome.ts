/**
 * What became of a record, and the one reason for it. The order of this list is the order in which the checks are made:
 * the first that applies is the record's reason. `charged` means rated under a plan, even if the sponsor's part is 0
 * octets; `rejected` means that it could not be rated, or must not be any more; nothing is ever dropped without one of these
 * words.
 */
export const REASONS = [
  // rejected: could not be rated; the payload is kept
  { reason: 'oversized_record', outcome: 'rejected', meaning: 'larger than the limit for one record' },
  {
    reason: 'malformed',
    outcome: 'rejected',
    meaning: 'not decodable as JSON, CSV, Avro or a CDR, or a name twice in one object',
  },
  {
    reason: 'unknown_schema',
    outcome: 'rejected',
    meaning: 'the header names a schema that neither configuration nor registry knows',
  },
  {
    reason: 'incompatible_schema',
    outcome: 'rejected',
    meaning: 'the schema that the record was written with cannot be read as a flow record',
  },
  { reason: 'missing_field', outcome: 'rejected', meaning: 'a field that a flow record must have is absent' },
  {
    reason: 'invalid_field',
    outcome: 'rejected',
    meaning: 'a field has another type or range than the schema says, or its name is misspelt',
  },
  { reason: 'invalid_msisdn', outcome: 'rejected', meaning: 'servedMsisdn is no MSISDN in E.164 form' },
  {
    reason: 'time_out_of_range',
    outcome: 'rejected',
    meaning: 'a time outside of 2000 to 2149 (of another unit than milliseconds), or too far after its log’s time',
  },
  { reason: 'end_before_start', outcome: 'rejected', meaning: 'endTime is before startTime' },
  { reason: 'invalid_ip', outcome: 'rejected', meaning: 'terminalIp or remoteIp is not an IPv4 or IPv6 address' },
  { reason: 'unknown_content_type', outcome: 'rejected', meaning: 'contentType is none of the known words' },
  { reason: 'negative_octets', outcome: 'rejected', meaning: 'uplinkOctets or downlinkOctets is below 0' },
  { reason: 'octets_out_of_range', outcome: 'rejected', meaning: 'more octets than one record can have (2^48 - 1)' },
  { reason: 'conflicting_duplicate', outcome: 'rejected', meaning: 'an identity seen before, with other content' },
  // duplicate: dropped before it is charged
  {
    reason: 'duplicate',
    outcome: 'duplicate',
    meaning: 'an identity seen before in the window, with the same content',
  },
  // not sponsored: the subscriber's own traffic
  {
    reason: 'detected_only',
    outcome: 'not_sponsored',
    meaning: 'the gateway detected an application, which is no evidence without another kind of it',
  },
  {
    reason: 'no_evidence',
    outcome: 'not_sponsored',
    meaning: 'no evidence in force at startTime: tag, identity, rating group, service identifier or prefix',
  },
  {
    reason: 'unknown_tag',
    outcome: 'not_sponsored',
    meaning: 'a tag that no application claims at startTime, and no other evidence matches either',
  },
  {
    reason: 'unknown_identity',
    outcome: 'not_sponsored',
    meaning:
      'sponsor or ASP identities that no application claims at startTime, and no rating group, service identifier or prefix matches either',
  },
  {
    reason: 'evidence_conflict',
    outcome: 'not_sponsored',
    meaning: 'tag, identities, rating group or service identifier, prefix and detection name different applications',
  },
  { reason: 'tag_missing', outcome: 'not_sponsored', meaning: 'the match policy asks for a tag' },
  {
    reason: 'identity_missing',
    outcome: 'not_sponsored',
    meaning: 'the match policy asks for a sponsor or ASP identity, a rating group or a service identifier',
  },
  {
    reason: 'detection_missing',
    outcome: 'not_sponsored',
    meaning: 'the match policy asks for a detection by the gateway',
  },
  { reason: 'prefix_missing', outcome: 'not_sponsored', meaning: 'the match policy asks for a proxy address' },
  { reason: 'sponsor_suspended', outcome: 'not_sponsored', meaning: 'the sponsor is suspended' },
  { reason: 'no_plan', outcome: 'not_sponsored', meaning: 'no plan of the application is in force at startTime' },
  {
    reason: 'conditions_not_met',
    outcome: 'not_sponsored',
    meaning: 'plans of the application are in force at startTime, and the conditions of the last one tried do not hold',
  },
  {
    reason: 'campaign_paused',
    outcome: 'not_sponsored',
    meaning: 'the campaign was paused when the record was rated',
  },
  {
    reason: 'campaign_unfunded',
    outcome: 'not_sponsored',
    meaning: 'the campaign is prepaid, and the sponsor’s balance was not above 0 at the last look',
  },
  {
    reason: 'cap_reached',
    outcome: 'not_sponsored',
    meaning: 'a cap of the campaign was reached in the record’s day or period, or in all',
  },
  { reason: 'content_not_covered', outcome: 'not_sponsored', meaning: 'the plan does not cover the content type' },
  {
    reason: 'not_in_audience',
    outcome: 'not_sponsored',
    meaning: 'the campaign is for subscribers who opted in, and this one has not',
  },
  // rejected after all: finance takes no more, or the counter would leave the exact integers
  {
    reason: 'period_closed',
    outcome: 'rejected',
    meaning: 'finance has closed the month that the period began in, and the plan refuses late records',
  },
  { reason: 'charge_out_of_range', outcome: 'rejected', meaning: 'the counter or the charge would pass 2^53 - 1' },
  // charged
  {
    reason: 'quota_exhausted',
    outcome: 'charged',
    meaning: 'nothing was left of the quota: all octets are the subscriber’s',
  },
  {
    reason: 'quota_reached',
    outcome: 'charged',
    meaning: 'this record used up the quota; the rest is the subscriber’s',
  },
  {
    reason: 'partly_in_hours',
    outcome: 'charged',
    meaning: 'sponsored by the plan’s share for the part within the plan’s hours; the rest is the subscriber’s',
  },
  { reason: 'sponsored', outcome: 'charged', meaning: 'sponsored by the plan’s share' },
] as const satisfies readonly { reason: string; outcome: Outcome; meaning: string }[];

export const OUTCOMES = ['charged', 'not_sponsored', 'duplicate', 'rejected'] as const;
export type Outcome = (typeof OUTCOMES)[number];
export type Reason = (typeof REASONS)[number]['reason'];

/** A record that cannot be rated says why: a value, never an exception. */
export interface Fault {
  reason: Reason;
  /** Names the field and what was wrong with it; never a subscriber's identity. */
  detail: string;
}

/** Reason to its place in REASONS: the small integer that columns hold. */
export const REASON_CODE = Object.fromEntries(REASONS.map(({ reason }, code) => [reason, code])) as Record<
  Reason,
  number
>;

export function outcomeOf(reasonCode: number): Outcome {
  const entry = REASONS[reasonCode];
  if (entry === undefined) throw new RangeError(`no reason has the code ${reasonCode}`);
  return entry.outcome;
}

/** Returns outcome, reason and meaning as a text; without the outcome where the reason has its name. */
export function outcomeInWords(reasonCode: number): string {
  const { reason, meaning } = REASONS[reasonCode];
  const outcome = outcomeOf(reasonCode);
  return reason === outcome ? `${reason} (${meaning})` : `${outcome}: ${reason} (${meaning})`;
}

/** The same as `outcomeOf` being `charged`, without a look into the list. */
export function isCharged(reasonCode: number): boolean {
  return reasonCode >= REASON_CODE.quota_exhausted;
}

/** Was the record rejected before its fields were taken? Then nothing but its bytes is known. */
export function failedAtIngress(reasonCode: number): boolean {
  return reasonCode < REASON_CODE.conflicting_duplicate;
}
