import * as z from 'zod';
import { CAP_WINDOWS } from '../catalogue.ts';
import { parseMicros } from '../money.ts';
import { MAX_AMOUNT, money } from './catalogue-fields.ts';

/** Ascending shares of a limit. */
const basisPoints = z
  .array(z.int().min(1).max(10_000))
  .refine((steps) => steps.every((step, i) => i === 0 || step > steps[i - 1]), {
    error: 'expected ascending numbers',
  });

const capSchema = z
  .strictObject({
    per: z
      .enum(CAP_WINDOWS)
      .describe("What the cap counts in: a day in the plan's time zone, the plan's period, or the whole campaign."),
    octets: z.int().min(1).optional().describe('Most sponsored octets of all subscribers together.'),
    money: money(Number.MAX_SAFE_INTEGER, MAX_AMOUNT)
      .refine((text) => parseMicros(text) !== 0, { error: 'expected an amount above 0' })
      .optional()
      .describe('Most that all subscribers together cost the sponsor, in units of its currency: decimal text.'),
    notifyAt: basisPoints
      .optional()
      .describe('Shares of the cap, ascending basis points: a fact is booked when the use reaches one. Absent: none.'),
  })
  .refine(({ octets, money }) => (octets === undefined) !== (money === undefined), {
    error: 'name either octets or money',
  })
  .meta({ oneOf: [{ required: ['octets'] }, { required: ['money'] }] });

/** Absent stays absent, as in all of a catalogue. */
export const campaignSchema = z
  .strictObject({
    payment: z
      .enum(['prepaid', 'postpaid'])
      .describe(
        "prepaid: in force only while the balance of the sponsor's account is above 0. postpaid: billed, as plans are.",
      ),
    audience: z
      .enum(['opted-in', 'everyone'])
      .describe('Whom it is for: subscribers that `campaign opt-in` or `campaign audience` names, or everyone.'),
    caps: z
      .array(capSchema)
      .max(6)
      .optional()
      .describe('Limits on all subscribers together, at most one for each window and unit. Absent: none.'),
  })
  .describe(
    'Makes the plan a campaign. It is in force for a record only if it is not paused, no cap is reached, and the subscriber is in its audience.',
  );

export type CapDocument = z.output<typeof capSchema>;
