import { DateTime } from 'luxon';

/** Days of the week as a plan names them; the number of a day is its place. */
export const WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;

/** The hours of a plan: by the wall clock, so that an hour that the clocks repeat counts twice, and one that they leave out is not there. */
export interface PlanHours {
  /** IANA name. */
  timeZone: string;
  /** By day of the week, Monday first: ascending spans [from, to), in milliseconds on the clock since its midnight. */
  days: readonly (readonly (readonly [from: number, to: number])[])[];
}

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** 1970-01-01 was a Thursday. */
const FIRST_WEEKDAY = 3;
/** A stream of absurd times cannot fill the memory: two hundred years of days. */
const MAX_DAYS = 73_000;

/** Whether a part of [startMs, endMs), or its start if that is all, lies in the hours. */
export function isInHours(hours: PlanHours, startMs: number, endMs: number): boolean {
  // An instant is its own millisecond.
  return eachSpan(hours, startMs, Math.max(endMs, startMs + 1), () => true);
}

/**
 * The octets of a record that lie in the hours, pro rata by time: with G(t) = floor(octets x (t - start) / (end - start)) the sum of
 * G(to) - G(from) over the spans that the record has in common with the hours. However hours are cut into spans, their parts and the part
 * outside of them are together the record's octets. A record without duration is in them, or not, by its start.
 */
export function octetsInHours(hours: PlanHours, octets: number, startMs: number, endMs: number): number {
  if (endMs === startMs) return isInHours(hours, startMs, endMs) ? octets : 0;
  const durationMs = endMs - startMs;
  let within = 0;
  eachSpan(hours, startMs, endMs, (fromMs, toMs) => {
    within += octetsUntil(octets, toMs - startMs, durationMs) - octetsUntil(octets, fromMs - startMs, durationMs);
    return false;
  });
  return within;
}

/** G: exact, in doubles where the product has room in one. */
function octetsUntil(octets: number, elapsedMs: number, durationMs: number): number {
  if (elapsedMs === 0) return 0;
  if (elapsedMs === durationMs) return octets;
  const product = octets * elapsedMs;
  if (product <= Number.MAX_SAFE_INTEGER) return (product - (product % durationMs)) / durationMs;
  return Number((BigInt(octets) * BigInt(elapsedMs)) / BigInt(durationMs));
}

/**
 * Calls `visit` for the spans that [startMs, endMs) has in common with the hours, in their order; spans that follow each other are not
 * joined. Ends with true once `visit` returns true, and returns false otherwise.
 */
function eachSpan(
  { timeZone, days }: PlanHours,
  startMs: number,
  endMs: number,
  visit: (fromMs: number, toMs: number) => boolean,
): boolean {
  const clock = clockOf(timeZone);
  let pieceMs = startMs;
  while (pieceMs < endMs) {
    // A piece in which the clock is not changed.
    const piece = clock.at(pieceMs);
    const pieceEndMs = Math.min(endMs, piece.untilMs);
    const localEndMs = pieceEndMs + piece.offsetMs;
    let dayMs = Math.floor((pieceMs + piece.offsetMs) / DAY_MS) * DAY_MS;
    for (; dayMs < localEndMs; dayMs += DAY_MS) {
      const spans = days[(dayMs / DAY_MS + FIRST_WEEKDAY) % WEEKDAYS.length];
      for (const [from, to] of spans) {
        const fromMs = Math.max(pieceMs, dayMs + from - piece.offsetMs);
        const toMs = Math.min(pieceEndMs, dayMs + to - piece.offsetMs);
        if (fromMs < toMs && visit(fromMs, toMs)) return true;
      }
    }
    pieceMs = pieceEndMs;
  }
  return false;
}

/** The offset of a zone from UTC, which holds until an instant at least. */
interface Piece {
  offsetMs: number;
  untilMs: number;
}

/** Offsets of a zone by day of UTC. Clocks change twice a day nowhere. */
class ZoneClock {
  readonly #timeZone: string;
  /** One piece, or those before and after the change. */
  readonly #days = new Map<number, readonly Piece[]>();

  constructor(timeZone: string) {
    this.#timeZone = timeZone;
  }

  at(timeMs: number): Piece {
    const day = Math.floor(timeMs / DAY_MS);
    let pieces = this.#days.get(day);
    if (pieces === undefined) {
      if (this.#days.size >= MAX_DAYS) this.#days.clear();
      pieces = this.#piecesOf(day);
      this.#days.set(day, pieces);
    }
    return timeMs < pieces[0].untilMs ? pieces[0] : pieces[1];
  }

  #piecesOf(day: number): Piece[] {
    const untilMs = (day + 1) * DAY_MS;
    let [beforeMs, afterMs] = [day * DAY_MS, untilMs];
    const [before, after] = [this.#offsetMs(beforeMs), this.#offsetMs(afterMs)];
    if (before === after) return [{ offsetMs: before, untilMs }];
    while (afterMs - beforeMs > 1) {
      const middleMs = Math.floor((beforeMs + afterMs) / 2);
      if (this.#offsetMs(middleMs) === before) beforeMs = middleMs;
      else afterMs = middleMs;
    }
    if (afterMs === untilMs) return [{ offsetMs: before, untilMs }];
    return [
      { offsetMs: before, untilMs: afterMs },
      { offsetMs: after, untilMs },
    ];
  }

  #offsetMs(timeMs: number): number {
    return DateTime.fromMillis(timeMs, { zone: this.#timeZone }).offset * MINUTE_MS;
  }
}

const clocks = new Map<string, ZoneClock>();

/** Zones are few: those of a catalogue's plans. */
function clockOf(timeZone: string): ZoneClock {
  const known = clocks.get(timeZone) ?? new ZoneClock(timeZone);
  clocks.set(timeZone, known);
  return known;
}
