import fc from 'fast-check';
import { RAT_TYPES } from '../../rating/catalogue/catalogue-conditions.ts';
import { WEEKDAYS } from '../../rating/plan-hours.ts';

const MINUTES = 1440;

/** The places that drawn conditions name, and some that none does. */
export const PLACES = {
  network: { homePlmns: ['26201', '26203'] },
  locations: [
    { id: 'fair', trackingAreas: ['26201-00af', '26201-00af01'] },
    { id: 'port', trackingAreas: ['26201-00af', '310410-beef'] },
  ],
};
/** Where records were made. */
export const network = fc.record({
  servingPlmn: fc.constantFrom(null, '26201', '26203', '310410', '90170'),
  ratType: fc.constantFrom(null, 1, 6, 10, 51, 255),
  trackingArea: fc.constantFrom(null, '26201-00af', '26201-00af01', '310410-beef', '26201-0001'),
});

const clock = (minute: number) =>
  [Math.floor(minute / 60), minute % 60].map((part) => String(part).padStart(2, '0')).join(':');
/** Minutes at which spans begin and end: many of them where clocks change. */
const minute = fc.oneof(fc.constantFrom(0, 1, 60, 120, 150, 180, 23 * 60, MINUTES - 1), fc.nat(MINUTES - 1));
const days = fc.subarray([...WEEKDAYS], { minLength: 1 });

/** Spans of one day or over its midnight, one after the other: of one set of days, so that they do not overlap. */
export const hours = fc
  .tuple(fc.uniqueArray(minute, { minLength: 2, maxLength: 6 }), days, fc.boolean())
  .map(([minutes, days, isEveryDay]) => {
    const ends = minutes.sort((a, b) => a - b);
    return ends.flatMap((from, at) => {
      const to = ends[at + 1];
      if (at % 2 === 1 || to === undefined) return [];
      return { ...(isEveryDay ? {} : { days }), from: clock(from), to: clock(to) };
    });
  });

/** One span over midnight, or of a whole day. */
const nightHours = fc
  .tuple(minute, minute, days)
  .map(([a, b, days]) => [{ days, from: clock(Math.max(a, b)), to: clock(Math.min(a, b)) }]);

const others = {
  roaming: fc.constantFrom('home', 'roaming'),
  servingPlmns: fc.subarray(['26201', '310410'], { minLength: 1 }),
  ratTypes: fc.subarray(Object.keys(RAT_TYPES), { minLength: 1 }),
  locations: fc.subarray(['fair', 'port'], { minLength: 1 }),
};

/** Conditions of a plan: hours, something of where the terminal was, or both. */
export const conditions = fc.oneof(
  fc.record({ hours: fc.oneof(hours, nightHours) }),
  ...Object.entries(others).map(([name, values]) =>
    (values as fc.Arbitrary<unknown>).map((value) => ({ [name]: value })),
  ),
  fc.record({ hours: fc.oneof(hours, nightHours), roaming: others.roaming, ratTypes: others.ratTypes }),
);
