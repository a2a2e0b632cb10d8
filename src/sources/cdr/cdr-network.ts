import type { Candidate } from '../../rating/flow-record.ts';
import type { BerValue } from './ber-value.ts';
import { byTag, type Fields, read } from './cdr-fields.ts';
import type { CdrMapping } from './cdr-mapping.ts';
import { contentOf, integerOf } from './cdr-values.ts';

/** Where a terminal was, as far as a CDR or a container of one says so. */
export interface NetworkFields {
  servingPlmn?: string | undefined;
  ratType?: number | undefined;
  trackingArea?: string | undefined;
}

const PLMN_OCTETS = 3;
const MAX_RAT_TYPE = 255;
/** The digit 15 fills an MNC of two digits up. */
const NO_DIGIT = 15;
/** A PLMN, and the TAC of EPS or 5GS. */
const EPS_TAI_OCTETS = 5;
const TAI_5GS_OCTETS = 6;

/**
 * Octets of the identities of a ULI (TS 29.274, 8.21), in the order of their flags from the lowest bit on: CGI, SAI, RAI, TAI, ECGI, LAI,
 * macro eNodeB, extended macro eNodeB.
 */
const ULI_IDENTITY_OCTETS = [7, 7, 7, EPS_TAI_OCTETS, 7, 5, 6, 6] as const;
const ULI_TAI = 3;

/**
 * By its first octet, the length and the TAI of a 3GPP-User-Location-Info (TS 29.061, 16.4.7.2) that has one. No ULI with the same first
 * octet has the same length.
 */
const GEOGRAPHIC_LOCATIONS: ReadonlyMap<number, { octets: number; taiOctets: number }> = new Map([
  [128, { octets: 6, taiOctets: EPS_TAI_OCTETS }], // TAI
  [130, { octets: 13, taiOctets: EPS_TAI_OCTETS }], // TAI and ECGI
  [136, { octets: 7, taiOctets: TAI_5GS_OCTETS }], // 5GS TAI
  [137, { octets: 15, taiOctets: TAI_5GS_OCTETS }], // 5GS TAI and NCGI
]);

/** Tags of UserLocationInformationStructured, the one that serves the terminal first: nrLocation, eutraLocation, n3gaLocation. */
const STRUCTURED_LOCATIONS = [1, 0, 2];
/** tai, or n3gppTai, of each of them; and the parts of a TAI. */
const TAI = 0;
const TAI_PARTS = { plmn: 0, tac: 1 } as const;

/**
 * Fields of the network: what the container says, else its CDR. A value that is none of its kind is left out, as are all of them where the
 * mapping does not ask for them: a record is rated without them.
 */
export function networkFields({ network }: CdrMapping, own: NetworkFields, cdr: NetworkFields): Candidate {
  if (network !== true) return {};
  return {
    servingPlmn: own.servingPlmn ?? cdr.servingPlmn,
    ratType: own.ratType ?? cdr.ratType,
    trackingArea: own.trackingArea ?? cdr.trackingArea,
  };
}

/** The digits of a PLMN-Id: MCC and MNC, two digits an octet as in a RAI (TS 29.060, 7.7.3). */
export function plmnOf(value: BerValue): string | undefined {
  return plmnDigits(contentOf(value));
}

function plmnDigits(octets: Uint8Array): string | undefined {
  if (octets.length !== PLMN_OCTETS) return undefined;
  const [mcc2, mcc1, mnc3, mcc3, mnc2, mnc1] = Array.from(octets, (octet) => [octet >> 4, octet & 15]).flat();
  const digits = [mcc1, mcc2, mcc3, mnc1, mnc2, ...(mnc3 === NO_DIGIT ? [] : [mnc3])];
  return digits.every((digit) => digit <= 9) ? digits.join('') : undefined;
}

export function ratTypeOf(value: BerValue): number | undefined {
  const number = integerOf(value);
  return typeof number === 'number' && number >= 0 && number <= MAX_RAT_TYPE ? number : undefined;
}

/** The tracking area in a ULI as GTP has it, with flags (TS 29.274, 8.21), or as RADIUS and Diameter have it, with a type (TS 29.061). */
export function trackingAreaOf(value: BerValue): string | undefined {
  const octets = contentOf(value);
  if (octets.length === 0) return undefined;
  const [first] = octets;
  const identities = ULI_IDENTITY_OCTETS.map((length, flag) => ((first >> flag) & 1) * length);
  const before = identities.slice(0, ULI_TAI).reduce((sum, length) => sum + length, 1);
  const whole = identities.reduce((sum, length) => sum + length, 1);
  if (octets.length === whole) {
    return identities[ULI_TAI] === 0 ? undefined : taiText(octets.subarray(before, before + EPS_TAI_OCTETS));
  }
  const location = GEOGRAPHIC_LOCATIONS.get(first);
  return location?.octets === octets.length ? taiText(octets.subarray(1, 1 + location.taiOctets)) : undefined;
}

/** The tracking area in a UserLocationInformationStructured (TS 32.298), which has the parts of a UserLocation (TS 29.571). */
export function structuredTrackingAreaOf(value: BerValue): string | undefined {
  const locations = byTag(value);
  for (const tag of STRUCTURED_LOCATIONS) {
    const tai = read(read(locations, tag, byTag) ?? NONE, TAI, byTag) ?? NONE;
    const [plmn, tac] = [TAI_PARTS.plmn, TAI_PARTS.tac].map((part) => read(tai, part, contentOf) ?? EMPTY);
    const text = taiText(Buffer.concat([plmn, tac]));
    if (text !== undefined) return text;
  }
  return undefined;
}

const NONE: Fields = new Map();
const EMPTY = new Uint8Array(0);

/** `<PLMN>-<TAC>`, the TAC in hexadecimal. */
function taiText(octets: Uint8Array): string | undefined {
  const plmn = plmnDigits(octets.subarray(0, PLMN_OCTETS));
  const isTai = octets.length === EPS_TAI_OCTETS || octets.length === TAI_5GS_OCTETS;
  if (plmn === undefined || !isTai) return undefined;
  return `${plmn}-${Buffer.from(octets.subarray(PLMN_OCTETS)).toString('hex')}`;
}
