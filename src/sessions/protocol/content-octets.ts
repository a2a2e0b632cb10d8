import * as z from 'zod';

export const SESSION_CONTENT_TYPES = ['text', 'voice', 'image', 'video', 'other'] as const;
export type SessionContentType = (typeof SESSION_CONTENT_TYPES)[number];
export const contentTypeSchema = z.enum(SESSION_CONTENT_TYPES);

/** Far more than a session can move, and ten of them are still exact as a double. */
const MAX_REPORTED_OCTETS = 2 ** 48 - 1;
const reportedOctets = z.int().min(0).max(MAX_REPORTED_OCTETS);

/** Octets of a session by content type, as they passed between terminal and proxy, transport payload (TCP) of both directions. */
export const contentOctetsSchema = z.strictObject({
  contentType: contentTypeSchema,
  uplinkOctets: reportedOctets,
  downlinkOctets: reportedOctets,
});
export type ContentOctets = z.output<typeof contentOctetsSchema>;

/** Share that the sponsor pays of each content type, basis points; a type that is absent is not covered. */
export const contentSharesSchema = z.partialRecord(contentTypeSchema, z.int().min(0).max(10_000));
export type ContentShares = z.output<typeof contentSharesSchema>;

/** What of the octets counts in the quota: the share of each content type, its remainder kept until the end. */
export function sponsoredOctetsOf(usage: readonly ContentOctets[], shares: ContentShares): number {
  let tenThousandths = 0n;
  for (const { contentType, uplinkOctets, downlinkOctets } of usage) {
    tenThousandths += BigInt(uplinkOctets + downlinkOctets) * BigInt(shares[contentType] ?? 0);
  }
  return Number(tenThousandths / 10_000n);
}
