import type * as z from 'zod';
import type { catalogueSchema } from '../../rating/catalogue/catalogue-document.ts';
import type { FlowRecord } from '../../rating/flow-record.ts';

type Document = z.input<typeof catalogueSchema>;
type PlanDocument = Document['plans'][number];

/** What a second computation knows of the places that conditions name. */
export interface SecondPlaces {
  homePlmns: ReadonlySet<string>;
  /** Tracking areas by the id of their location. */
  areas: ReadonlyMap<string, readonly string[]>;
}

const MINUTE_MS = 60_000;
/** Zones once had offsets of half minutes. */
const STEP_MS = MINUTE_MS / 2;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MINUTES = 1440;
const WEEK_MINUTES = 7 * DAY_MINUTES;
const DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
/** The numbers of radio access types in CDRs, of TS 29.061 and TS 29.274. */
const RADIO: Readonly<Record<string, readonly number[]>> = {
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
};

export function secondPlaces({ network, locations }: Document): SecondPlaces {
  return {
    homePlmns: new Set(network?.homePlmns),
    areas: new Map((locations ?? []).map(({ id, trackingAreas }) => [id, trackingAreas])),
  };
}

/** Whether a record was made where and how a plan asks for; its hours are another question. */
export function isWherePlanned({ conditions }: PlanDocument, record: FlowRecord, places: SecondPlaces): boolean {
  const { servingPlmn, ratType, trackingArea } = record;
  const { roaming, servingPlmns, ratTypes, locations } = conditions ?? {};
  if (roaming === 'home' && !(servingPlmn !== null && places.homePlmns.has(servingPlmn))) return false;
  if (roaming === 'roaming' && !(servingPlmn !== null && !places.homePlmns.has(servingPlmn))) return false;
  if (servingPlmns !== undefined && !servingPlmns.some((plmn) => plmn === servingPlmn)) return false;
  if (ratTypes !== undefined && !ratTypes.some((name) => ratType !== null && RADIO[name].includes(ratType)))
    return false;
  if (locations === undefined) return true;
  return locations.some((id) => places.areas.get(id)?.some((area) => area === trackingArea));
}

/**
 * Returns the part of a record that lies in a plan's hours: null where none of it does, else its octets. The record is looked at half a minute
 * at a time, by the wall clock of the plan's zone.
 */
export function partInHours({ conditions, timeZone }: PlanDocument, record: FlowRecord): bigint | null {
  const { startTime, endTime } = record;
  const octets = BigInt(record.uplinkOctets) + BigInt(record.downlinkOctets);
  if (conditions?.hours === undefined) return octets;
  const week = minutesOfWeek(conditions.hours);
  if (startTime === endTime) return week[minuteOfWeek(startTime, timeZone)] === 1 ? octets : null;
  const until = (timeMs: number) => (octets * BigInt(timeMs - startTime)) / BigInt(endTime - startTime);
  let part: bigint | null = null;
  for (let fromMs = startTime; fromMs < endTime; ) {
    const toMs = Math.min(endTime, (Math.floor(fromMs / STEP_MS) + 1) * STEP_MS);
    if (week[minuteOfWeek(fromMs, timeZone)] === 1) part = (part ?? 0n) + until(toMs) - until(fromMs);
    fromMs = toMs;
  }
  return part;
}

type Hours = NonNullable<NonNullable<PlanDocument['conditions']>['hours']>;

/** 1 for each minute of the week, Monday first, that one of the spans has. */
function minutesOfWeek(hours: Hours): Uint8Array {
  const week = new Uint8Array(WEEK_MINUTES);
  for (const { days, from, to } of hours) {
    const minuteOf = (clock: string) => clock.split(':').reduce((minutes, part) => minutes * 60 + Number(part), 0);
    for (const day of days ?? DAYS) {
      let minute = DAYS.indexOf(day) * DAY_MINUTES + minuteOf(from);
      do week[minute++ % WEEK_MINUTES] = 1;
      while (minute % DAY_MINUTES !== minuteOf(to));
    }
  }
  return week;
}

/** Minutes east of UTC at an instant, by zone and instant: of the beginnings of hours. */
const offsets = new Map<string, number>();
const MAX_OFFSETS = 100_000;
const formats = new Map<string, Intl.DateTimeFormat>();

function minuteOfWeek(timeMs: number, timeZone: string): number {
  const hourMs = Math.floor(timeMs / HOUR_MS) * HOUR_MS;
  const offset = knownOffset(hourMs, timeZone);
  const isEven = offset === knownOffset(hourMs + HOUR_MS, timeZone);
  const east = isEven ? offset : offsetMinutes(timeMs, timeZone);
  // The epoch was a Thursday.
  const minute = Math.floor(timeMs / MINUTE_MS + east) + 3 * DAY_MINUTES;
  return ((minute % WEEK_MINUTES) + WEEK_MINUTES) % WEEK_MINUTES;
}

function knownOffset(hourMs: number, timeZone: string): number {
  const key = `${timeZone} ${hourMs}`;
  const known = offsets.get(key) ?? offsetMinutes(hourMs, timeZone);
  if (offsets.size >= MAX_OFFSETS) offsets.clear();
  offsets.set(key, known);
  return known;
}

/** What the zone's clock shows, less what UTC's does. */
function offsetMinutes(timeMs: number, timeZone: string): number {
  let format = formats.get(timeZone);
  if (format === undefined) {
    const fields = {
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    } as const;
    format = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', ...fields });
    formats.set(timeZone, format);
  }
  const [month, day, year, hour, minute, second] = format
    .format(timeMs)
    .split(/[^0-9]+/)
    .map(Number);
  const shownMs = Date.UTC(year, month - 1, day, hour, minute, second);
  return (shownMs - Math.floor(timeMs / 1000) * 1000) / MINUTE_MS;
}
