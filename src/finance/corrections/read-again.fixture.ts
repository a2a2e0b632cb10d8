import { decodeJson } from '../../rating/decode/decode-json.ts';
import type { FlowRecord } from '../../rating/flow-record.ts';
import { incoming } from '../../rating/incoming.ts';
import { isCharged, outcomeOf } from '../../rating/outcome.ts';
import { admit } from '../../rating/pipeline.ts';
import { PLAIN_RULES } from '../../rating/record/record-limits.ts';
import { Rules } from '../../rating/rules.ts';
import { PseudonymKey } from '../../rating/subscribers.ts';
import { asValue, rateValues, testLane } from '../../rating/traffic.fixture.ts';
import { CurrentCharges } from './current-charges.ts';
import { ALL_PERIODS, chargeAfter, chargeOf, type NamedCharge, takeCharge } from './rating.fixture.ts';
import { BOOKED_AS, LEFT_OUT, type PeriodRange, RerateLane } from './rerate-lane.ts';

const KEY = PseudonymKey.ofRoot(Buffer.alloc(32, 3));

type SponsorCharge = NamedCharge & { sponsorId: string };

/** A record as it is booked: `isOpen` where it was neither rejected nor a duplicate, and its current charge. */
export interface BookedRecord {
  record: FlowRecord;
  isOpen: boolean;
  isNameless?: boolean;
  charge: SponsorCharge | null;
}

/** Books records as an engine does, in one batch. */
export function bookedRecords(records: readonly FlowRecord[], rules: Rules): BookedRecord[] {
  const { batch } = rateValues(records.map(asValue), testLane(), rules);
  const { applications, sponsors } = rules.catalogue;
  return records.map((record, row) => {
    const outcome = outcomeOf(batch.reason[row]);
    const isOpen = outcome === 'charged' || outcome === 'not_sponsored';
    if (!isCharged(batch.reason[row])) return { record, isOpen, charge: null };
    const sponsorId = sponsors[applications[batch.application[row]].sponsor].id;
    return { record, isOpen, charge: { sponsorId, ...chargeOf(batch, row, rules) } };
  });
}

export interface RatedAgain {
  booked: BookedRecord[];
  changed: number;
  /** LEFT_OUT by record. */
  leftOut: number[];
  lane: RerateLane;
}

/** Rates booked records of one lane again, so many at a time, as `rerateFromSource` does with what it reads. */
export function ratedAgain(
  booked: readonly BookedRecord[],
  rules: Rules,
  sponsorId: string,
  { range = ALL_PERIODS, atOnce = 1000 } = {},
): RatedAgain {
  // The facts are those of the batch.
  const lane = new RerateLane(new Rules(rules.catalogue), range, KEY);
  const charges = new CurrentCharges(atOnce);
  const result: RatedAgain = { booked: [], changed: 0, leftOut: [], lane };
  for (let from = 0; from < booked.length; from += atOnce) {
    const chunk = booked.slice(from, from + atOnce);
    const { records } = charges;
    records.clear();
    const values = chunk.map(({ record }, at) => incoming(asValue(record), from + at));
    admit(
      records,
      values,
      { decode: decodeJson, keyedByMsisdn: false, rules: PLAIN_RULES, bookingDay: 0 },
      lane.lane,
      rules,
    );
    const bookedAs = Uint8Array.from(chunk, (each, row) => take(charges, row, each, sponsorId, range));
    const left = new Uint8Array(chunk.length).fill(LEFT_OUT.none);
    lane.rateRead(charges, rules, sponsorId, bookedAs, left);
    result.leftOut.push(...left);
    chunk.forEach((each, row) => {
      const isRated = charges.isInRange[row] === 1;
      const after = chargeAfter(charges, row);
      const charge = after && { ...after, sponsorId };
      result.booked.push(isRated ? { ...each, charge } : each);
      if (isRated && charges.isChanged(row)) result.changed++;
    });
  }
  return result;
}

function take(
  charges: CurrentCharges,
  row: number,
  { isOpen, isNameless = false, charge }: BookedRecord,
  sponsorId: string,
  range: PeriodRange,
): number {
  charges.hasCharge[row] = 0;
  charges.isInRange[row] = 0;
  if (charge !== null) takeCharge(charges, row, charge, range);
  if (!isOpen) return BOOKED_AS.closed;
  if (charge === null) return isNameless ? BOOKED_AS.nameless : BOOKED_AS.unsponsored;
  return charge.sponsorId === sponsorId ? BOOKED_AS.charged : BOOKED_AS.chargedToOther;
}
