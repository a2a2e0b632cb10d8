import * as z from 'zod';
import {
  type FlowCondition,
  MAX_PORT,
  MAX_PROTOCOL,
  mergePortSpans,
  PROTOCOL_NAMES,
  parsePortSpans,
  protocolNumber,
} from '../flow-condition.ts';
import { DETECTIONS, type Detection } from '../flow-record.ts';
import { MAX_TEXT_LENGTH } from '../record/validate.ts';
import { time } from './catalogue-fields.ts';

const MAX_TAG_OCTETS = 64;

/** When a claim is in force. Absent stays absent, so that a catalogue without dates keeps its hash. */
const claimDates = {
  from: time().optional().describe('In force for records that start at this instant or later. Absent: no beginning.'),
  to: time().optional().describe('In force for records that start before this instant. Absent: no end.'),
};

const tag = z
  .string()
  .min(1)
  .refine((text) => Buffer.byteLength(text) <= MAX_TAG_OCTETS, { error: `expected at most ${MAX_TAG_OCTETS} octets` });
export const tagSchema = z.union([tag, z.strictObject({ tag: tag.describe('The tag.'), ...claimDates })]);
const portsText = z
  .string()
  .regex(/^\d{1,5}(-\d{1,5})?$/, { error: 'expected a port or a span of ports, as "443" or "5000-5999"' });
/** Absent stays absent, as above. */
const flowFields = {
  protocol: z
    .union([z.int().min(0).max(MAX_PROTOCOL), z.enum(PROTOCOL_NAMES)], {
      error: `expected an IANA protocol number, 0 to ${MAX_PROTOCOL}, or one of ${PROTOCOL_NAMES.join(', ')}`,
    })
    .optional()
    .describe('Only records of this protocol, by its IANA number or its name. Absent: any.'),
  ports: z
    .union([
      z.int().min(0).max(MAX_PORT),
      portsText,
      z.array(z.union([z.int().min(0).max(MAX_PORT), portsText])).min(1),
    ])
    .optional()
    .describe(
      'Only records of these ports of the remote side, the server’s: a port, a span as "5000-5999", or a list. It needs protocol tcp, udp or sctp. Absent: any.',
    ),
};
export const prefixSchema = z.union([
  z.string(),
  z.strictObject({ cidr: z.string().describe('The network.'), ...flowFields, ...claimDates }),
]);
const identity = z.string().min(1).max(MAX_TEXT_LENGTH);
const identitySchema = z.union([
  identity,
  z.strictObject({ identity: identity.describe('The identity.'), ...claimDates }),
]);

/** Absent stays absent, as above. */
export const identities = (of: string) =>
  z.array(identitySchema).min(1, { error: 'expected an identity, or no such field' }).optional().describe(of);

const MAX_SERVICE_NUMBER = 2 ** 31 - 1;
const ratingGroup = z.int().min(0).max(MAX_SERVICE_NUMBER);
const serviceIdentifier = z.int().min(0).max(MAX_SERVICE_NUMBER);
export const ratingGroupSchema = z.union([
  ratingGroup,
  z.strictObject({
    ratingGroup: ratingGroup.describe('The rating group.'),
    serviceIdentifier: serviceIdentifier
      .optional()
      .describe('Only its records of this service identifier. Absent: all of the rating group.'),
    ...claimDates,
  }),
]);
export const serviceIdentifierSchema = z.union([
  serviceIdentifier,
  z.strictObject({ serviceIdentifier: serviceIdentifier.describe('The service identifier.'), ...claimDates }),
]);

export const detectedNameSchema = z.union([
  identity,
  z.strictObject({
    name: identity.describe('The name.'),
    by: z
      .array(z.enum(DETECTIONS))
      .min(1, { error: 'expected a way, or no such field' })
      .optional()
      .describe(
        'Only if detected so: by the name in TLS (sni), by DNS (dns), by inspection of packets (dpi). Absent: in any way.',
      ),
    ...claimDates,
  }),
]);
export type DetectionDocument = z.output<typeof detectedNameSchema>;

export type PrefixDocument = z.output<typeof prefixSchema>;
export type ClaimDocument = z.output<typeof tagSchema | typeof prefixSchema | typeof identitySchema>;
/** An entry of `ratingGroups` or `serviceIdentifiers` with its fields. */
export interface ServiceDocument {
  ratingGroup?: number | undefined;
  serviceIdentifier?: number | undefined;
  from?: string | undefined;
  to?: string | undefined;
}

/** A claim with its dates as they are written. */
interface WrittenClaim {
  text: string;
  from?: string | undefined;
  to?: string | undefined;
  flow?: FlowCondition | undefined;
}

/** Returns the tag, prefix or identity that an application claims, with its conditions. */
export function readClaim(claim: ClaimDocument): WrittenClaim {
  if (typeof claim === 'string') return { text: claim };
  const { from, to } = claim;
  if ('cidr' in claim) return { text: claim.cidr, from, to, flow: readFlow(claim) };
  return { text: 'tag' in claim ? claim.tag : claim.identity, from, to };
}

/** Returns the protocol and ports of a prefix; undefined where it has none. Ports that are none are left out: they are a fault. */
export function readFlow({
  protocol,
  ports,
}: Pick<Exclude<PrefixDocument, string>, 'protocol' | 'ports'>): FlowCondition | undefined {
  if (protocol === undefined) return undefined;
  const spans = parsePortSpans([ports ?? []].flat()) ?? [];
  return { protocol: protocolNumber(protocol), ports: mergePortSpans(spans) };
}

/** Returns an entry of `detectedNames` with its fields. */
export function readDetection(detection: DetectionDocument): {
  name: string;
  by?: Detection[] | undefined;
  from?: string | undefined;
  to?: string | undefined;
} {
  return typeof detection === 'string' ? { name: detection } : detection;
}
