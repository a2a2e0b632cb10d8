import * as z from 'zod';
import { boundedList } from '../../platform/http/read-message.ts';
import { contentTypeSchema } from './content-octets.ts';

/**
 * `POST /v1/flow-marks` of a gateway (with the proxy's secret as `Authorization: Bearer`): a proxy says what a flow carries, as an application
 * function reports sponsored traffic to the network (TS 29.514, Npcf_PolicyAuthorization: `sponId`, `aspId`, `fDescs`). It is how the
 * preset tag gets onto traffic that is encrypted, and why a terminal cannot put it there.
 */
const flowMarkSchema = z.strictObject({
  proxyIp: z.string().min(1).max(45),
  proxyPort: z.int().min(1).max(65_535),
  terminalIp: z.string().min(1).max(45),
  terminalPort: z.int().min(1).max(65_535),
  /** 6: TCP, 17: UDP. */
  protocol: z.literal([6, 17]),
  /** Null takes the mark away: what comes now is the subscriber's. */
  zeroRatingTag: z.string().min(1).max(255).nullable(),
  contentType: contentTypeSchema,
});
export type FlowMark = z.output<typeof flowMarkSchema>;

export const flowMarksSchema = z.strictObject({ marks: boundedList(flowMarkSchema, { min: 1, max: 1000 }) });

const indexes = (what: string) =>
  z.array(z.int().min(0)).describe(`Indexes of the marks ${what}. No record was changed.`);

/** The answer of the gateway simulator. Another gateway may answer without one (204). */
export const flowMarksAnswerSchema = z.object({
  ended: indexes('whose flow has ended in the last minute'),
  unknown: indexes('whose flow is not open and did not end in the last minute'),
});
export type FlowMarksAnswer = z.output<typeof flowMarksAnswerSchema>;

/** Header that only a proxy may write; from a terminal it is refused. */
export const TAG_HEADER = 'zero-rating-tag';
