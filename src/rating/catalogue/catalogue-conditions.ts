import * as z from 'zod';
import type { NetworkCondition } from '../network-conditions.ts';
import { type PlanHours, WEEKDAYS } from '../plan-hours.ts';
import { id } from './catalogue-fields.ts';

const DAY_MINUTES = 24 * 60;

/** Radio access types and the numbers that CDRs have for them (TS 29.274, 8.17; TS 29.061, 16.4.7.2; TS 32.298). NR has one number in GTP and another in RADIUS. */
export const RAT_TYPES = {
  utran: [1],
  geran: [2],
  wlan: [3],
  gan: [4],
  'hspa-evolution': [5],
  eutran: [6],
  virtual: [7],
  'eutran-nb-iot': [8],
  'lte-m': [9],
  nr: [10, 51],
  wireline: [55],
  'wireline-cable': [56],
  'wireline-bbf': [57],
  'trusted-n3ga': [65],
} as const satisfies Record<string, readonly number[]>;
type RatType = keyof typeof RAT_TYPES;

const plmn = z.string().regex(/^\d{5,6}$/, { error: 'expected MCC and MNC, 5 or 6 digits in quotes, as "26201"' });
const trackingArea = z.string().regex(/^\d{5,6}-([\da-f]{4}|[\da-f]{6})$/, {
  error: 'expected a PLMN, a hyphen and a TAC of 4 or 6 lower-case hexadecimal digits, as "26201-00af"',
});
const wallClock = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, { error: 'expected a time of day in quotes, as "18:00"' });
/** A list that says something, each entry once. */
const listOf = <T extends z.ZodType>(entry: T) =>
  z
    .array(entry)
    .min(1, { error: 'expected an entry, or no such field' })
    .refine((entries) => new Set(entries).size === entries.length, { error: 'names an entry twice' });

const hoursSchema = z.strictObject({
  days: listOf(z.enum(WEEKDAYS)).optional().describe('Days on which the span begins. Absent: every day.'),
  from: wallClock.describe("Time of day at which the span begins, on the clocks of the plan's time zone."),
  to: wallClock.describe('Time of day at which it ends; from or earlier means on the day after.'),
});

/** Absent stays absent, so that a catalogue without conditions keeps its hash. */
export const planConditionsSchema = z
  .strictObject({
    hours: z
      .array(hoursSchema)
      .min(1, { error: 'expected a span, or no such field' })
      .optional()
      .describe('The plan sponsors the part of a record that lies in one of these spans, pro rata by time.'),
    roaming: z
      .enum(['home', 'roaming'])
      .optional()
      .describe('The serving PLMN is one of network.homePlmns, or is known and none of them.'),
    servingPlmns: listOf(plmn).optional().describe('The serving PLMN is one of these.'),
    ratTypes: listOf(z.enum(Object.keys(RAT_TYPES) as [RatType, ...RatType[]]))
      .optional()
      .describe('The radio access type is one of these.'),
    locations: listOf(id('Id of a location.'))
      .optional()
      .describe('The tracking area is in one of these locations of the catalogue.'),
  })
  .refine((conditions) => Object.values(conditions).some((each) => each !== undefined), {
    error: 'expected a condition, or no such field',
  });

export const networkSchema = z
  .strictObject({ homePlmns: listOf(plmn).describe('The PLMNs in which a subscriber is at home.') })
  .describe("The carrier's own network; conditions on roaming need it.");

export const locationSchema = z
  .strictObject({
    id: id('Name of the location in conditions of plans.'),
    trackingAreas: listOf(trackingArea).describe(
      'Its tracking areas, each a PLMN, a hyphen and a TAC, as "26201-00af".',
    ),
  })
  .describe('A group of tracking areas.');

export type PlanConditionsDocument = z.output<typeof planConditionsSchema>;
export type HoursDocument = z.output<typeof hoursSchema>;

/** What conditions refer to. */
interface ReferredTo {
  network?: z.output<typeof networkSchema> | undefined;
  locations?: readonly z.output<typeof locationSchema>[] | undefined;
}

/** A span of hours of a day, in minutes of the week that begins on Monday; it may end in the week after. */
export interface WeekSpan {
  fromMinute: number;
  toMinute: number;
}

/** The spans of an entry of `hours`: one for each day on which it begins. */
export function weekSpans({ days, from, to }: HoursDocument): WeekSpan[] {
  const [begin, end] = [from, to].map((text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3)));
  const minutes = end > begin ? end - begin : end + DAY_MINUTES - begin;
  return (days ?? WEEKDAYS).map((day) => {
    const fromMinute = WEEKDAYS.indexOf(day) * DAY_MINUTES + begin;
    return { fromMinute, toMinute: fromMinute + minutes };
  });
}

/** Hours ready for rating; null: always. */
export function compileHours(conditions: PlanConditionsDocument | undefined, timeZone: string): PlanHours | null {
  if (conditions?.hours === undefined) return null;
  const days = WEEKDAYS.map((): [number, number][] => []);
  for (const { fromMinute, toMinute } of conditions.hours.flatMap(weekSpans)) {
    const day = Math.floor(fromMinute / DAY_MINUTES);
    const [begin, end] = [fromMinute - day * DAY_MINUTES, toMinute - day * DAY_MINUTES];
    days[day].push([begin * 60_000, Math.min(end, DAY_MINUTES) * 60_000]);
    if (end > DAY_MINUTES) days[(day + 1) % WEEKDAYS.length].push([0, (end - DAY_MINUTES) * 60_000]);
  }
  return { timeZone, days: days.map((spans) => spans.sort(([a], [b]) => a - b)) };
}

/** Conditions on the network ready for rating; null: none. */
export function compileNetwork(
  conditions: PlanConditionsDocument | undefined,
  { network, locations = [] }: ReferredTo,
): NetworkCondition | null {
  if (conditions === undefined) return null;
  const { roaming, servingPlmns, ratTypes, locations: within } = conditions;
  const isAsked = roaming ?? servingPlmns ?? ratTypes ?? within;
  if (isAsked === undefined) return null;
  const areas = locations.filter(({ id }) => within?.includes(id)).flatMap(({ trackingAreas }) => trackingAreas);
  return {
    roaming: roaming ?? null,
    homePlmns: network?.homePlmns ?? [],
    servingPlmns: servingPlmns ?? null,
    ratTypes: ratTypes?.flatMap((name): readonly number[] => RAT_TYPES[name]) ?? null,
    trackingAreas: within === undefined ? null : [...new Set(areas)],
  };
}
