import { CONTENT_TYPES, type ContentType } from '../rating/flow-record.ts';
import type { Random } from './random.ts';

/** Traffic of one flow. */
export interface Traffic {
  /** Null where the record names none. */
  contentType: ContentType | null;
  uplinkOctets: number;
  downlinkOctets: number;
  durationMs: number;
}

/** Medians of log-normal distributions; `sigma` is the deviation of the natural logarithm. */
interface Shape {
  uplinkOctets: number;
  downlinkOctets: number;
  durationMs: number;
  sigma: number;
}

const SHAPES: Readonly<Record<ContentType, Shape>> = {
  text: { uplinkOctets: 1_500, downlinkOctets: 3_000, durationMs: 4_000, sigma: 1 },
  voice: { uplinkOctets: 150_000, downlinkOctets: 160_000, durationMs: 90_000, sigma: 1.2 },
  image: { uplinkOctets: 20_000, downlinkOctets: 120_000, durationMs: 3_000, sigma: 1.2 },
  video: { uplinkOctets: 60_000, downlinkOctets: 2_500_000, durationMs: 60_000, sigma: 1.4 },
  other: { uplinkOctets: 2_000, downlinkOctets: 5_000, durationMs: 8_000, sigma: 1.8 },
  unknown: { uplinkOctets: 3_000, downlinkOctets: 12_000, durationMs: 8_000, sigma: 1.8 },
};
// A partial record is closed after at most so many octets and so long a time.
const MAX_OCTETS = 2 ** 31;
export const MAX_DURATION_MS = 3_600_000;
// A refused terminal sends one packet and gets none back.
const UNANSWERED_SHARE = 0.02;

/** Draws traffic. `weights`: by index into CONTENT_TYPES. */
export function drawTraffic(weights: readonly number[], random: Random): Traffic {
  const type = CONTENT_TYPES[random.weighted(weights)];
  const contentType = type === 'unknown' ? null : type;
  if (random.uniform() < UNANSWERED_SHARE) return { contentType, uplinkOctets: 60, downlinkOctets: 0, durationMs: 0 };
  const shape = SHAPES[type];
  // The longer flow has more octets, so one of the two draws is common to all three.
  const volume = random.gaussian();
  const balance = random.gaussian() / 2;
  return {
    contentType,
    uplinkOctets: logNormal(shape.uplinkOctets, shape.sigma * (volume + balance), MAX_OCTETS),
    downlinkOctets: logNormal(shape.downlinkOctets, shape.sigma * (volume - balance), MAX_OCTETS),
    durationMs: logNormal(shape.durationMs, volume, MAX_DURATION_MS),
  };
}

function logNormal(median: number, exponent: number, max: number): number {
  return Math.min(Math.round(median * Math.exp(exponent)), max);
}
