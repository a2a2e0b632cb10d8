import type { Candidate } from '../../rating/flow-record.ts';
import type { Fault } from '../../rating/outcome.ts';
import type { CdrMapping } from './cdr-mapping.ts';
import { oddOctets, tbcd } from './cdr-values.ts';

/** Whose a CDR is, as far as it says so. */
export interface CdrSubscriber {
  msisdn: CdrMsisdn | undefined;
  imsi: string | undefined;
}

/** An MSISDN; with a fault, what is there instead of one. */
export interface CdrMsisdn {
  text: string;
  fault?: Fault;
}

const ISDN_PLAN = 1;
const INTERNATIONAL = 1;
const NATIONAL = 2;
/** First octet of an international ISDN number; it is also 19 in TBCD. */
const INTERNATIONAL_ISDN = 0x91;
/** Digits of a number of country code 1. */
const NANP_DIGITS = 11;

/** Fields that name the subscriber at a time: by the MSISDN of the CDR, else by the table of IMSI to MSISDN. */
export function subscriberFields(
  { msisdn, imsi }: CdrSubscriber,
  timeMs: unknown,
  { subscribers }: CdrMapping,
): Candidate {
  if (msisdn !== undefined) {
    return { servedMsisdn: msisdn.text, servedImsi: imsi, ...(msisdn.fault && { fault: msisdn.fault }) };
  }
  if (imsi === undefined) return { servedMsisdn: undefined, servedImsi: imsi };
  const found = typeof timeMs === 'number' ? (subscribers?.msisdnOf(imsi, timeMs) ?? null) : null;
  if (found !== null) return { servedMsisdn: found, servedImsi: imsi };
  const why =
    subscribers === undefined
      ? 'the CDR has an IMSI only: name a table of IMSI to MSISDN (source.cdr.subscribers, --subscribers FILE)'
      : 'the IMSI is not in the table of subscribers at the time of use';
  return {
    servedMsisdn: undefined,
    servedImsi: imsi,
    fault: { reason: 'missing_field', detail: `servedMsisdn is missing; ${why}` },
  };
}

/** The MSISDN of a servedMSISDN, in the form that the configuration names. */
export function msisdnOf(octets: Uint8Array, mapping: CdrMapping): CdrMsisdn {
  return mapping.msisdnFormat === 'tbcd' ? bareTbcd(octets, mapping) : addressString(octets, mapping);
}

/** ISDN-AddressString (TS 29.002): extension bit, nature of address and numbering plan, then TBCD. */
function addressString(octets: Uint8Array, { countryCode }: CdrMapping): CdrMsisdn {
  if (octets.length === 0) return invalid(octets, 'is empty');
  const [kind] = octets;
  const [nature, plan] = [(kind >> 4) & 7, kind & 15];
  const digits = tbcd(octets.subarray(1));
  if (kind < 0x80 || plan !== ISDN_PLAN || (nature !== INTERNATIONAL && nature !== NATIONAL)) {
    const hint = /^\d{7,15}$/.test(tbcd(octets))
      ? 'it looks like TBCD without a nature of address: set source.cdr.msisdnFormat: tbcd'
      : 'expected an international ISDN number (0x91)';
    return invalid(
      octets,
      `has neither nature of address nor numbering plan of an E.164 number in its first octet; ${hint}`,
    );
  }
  if (nature === NATIONAL && countryCode === undefined) {
    return invalid(octets, 'is a national number; set source.cdr.countryCode');
  }
  if (countryCode === '1' && nature === INTERNATIONAL && digits.length === NANP_DIGITS - 2) {
    return invalid(octets, 'looks like TBCD without a nature of address: set source.cdr.msisdnFormat: tbcd');
  }
  return checked(nature === NATIONAL ? `${/^[1-9]/.test(digits) ? countryCode : ''}${digits}` : digits, octets);
}

function bareTbcd(octets: Uint8Array, { countryCode }: CdrMapping): CdrMsisdn {
  const digits = tbcd(octets);
  const isNanp = countryCode === '1' && digits.length === NANP_DIGITS;
  if (octets[0] === INTERNATIONAL_ISDN && !isNanp) {
    return invalid(octets, 'looks like an address string: set source.cdr.msisdnFormat: address-string');
  }
  return checked(digits, octets);
}

function checked(digits: string, octets: Uint8Array): CdrMsisdn {
  return /^[1-9]\d{0,14}$/.test(digits)
    ? { text: digits }
    : invalid(octets, 'is no E.164 number: 1 to 15 digits, the first not 0');
}

function invalid(octets: Uint8Array, why: string): CdrMsisdn {
  return { text: oddOctets(octets), fault: { reason: 'invalid_msisdn', detail: `servedMSISDN ${why}` } };
}

/** The MSISDN in a text: digits, a tel URI, a SIP URI of a number, or `msisdn-` and digits. */
export function msisdnOfText(text: string): CdrMsisdn {
  const [number, ...parameters] = text.split(';');
  const isLocal = parameters.some((parameter) => parameter.startsWith('phone-context='));
  const bare = number.replace(/^(tel:|msisdn-)/, '').replace(/^sips?:(\+\d+)@.*$/, '$1');
  const digits = text.startsWith('tel:') ? bare.replace(/[-.()]/g, '') : bare;
  const [, msisdn] = /^\+?([1-9]\d{0,14})$/.exec(digits) ?? [];
  if (msisdn !== undefined && !isLocal) return { text: msisdn };
  const detail = 'the user identifier is no E.164 number: expected digits, or a tel URI of an international number';
  return { text, fault: { reason: 'invalid_msisdn', detail } };
}
