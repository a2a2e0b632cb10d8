/** How MSISDNs may be written beside the normal form, by configuration. */
export interface MsisdnForms {
  /** `+49170...` is read as `49170...`. */
  acceptPlus: boolean;
  /** Digits of an international prefix, `00`: `0049170...` is read as `49170...`. Null: none is read. */
  internationalPrefix: string | null;
}

export const NORMAL_FORM_ONLY: MsisdnForms = { acceptPlus: false, internationalPrefix: null };

/**
 * An MSISDN in normal form (ITU-T E.164): a country code, which never begins with 0, and the national number; 15 digits at most,
 * without `+` or prefix.
 */
export const E164 = /^[1-9]\d{0,14}$/;

/** The MSISDN in normal form; null if the text is none in the configured forms. */
export function normalMsisdn(text: string, { acceptPlus, internationalPrefix }: MsisdnForms): string | null {
  if (E164.test(text)) return text;
  if (acceptPlus && text.startsWith('+')) return normalOrNull(text.slice(1));
  if (internationalPrefix === null || !text.startsWith(internationalPrefix)) return null;
  return normalOrNull(text.slice(internationalPrefix.length));
}

/** An MSISDN in normal form as a number: a 1 keeps leading zeros apart, and 16 digits that begin with 1 are exact in a double. */
export function msisdnKey(msisdn: string): number {
  return Number(`1${msisdn}`);
}

/** The MSISDN with this key. */
export function msisdnOfKey(key: number): string {
  return String(key).slice(1);
}

/** Why `normalMsisdn` gives null, and what to do; it does not quote the text. */
export function msisdnFault(text: string, forms: MsisdnForms): string {
  const rule = 'is not 1 to 15 digits in E.164 form without +, the country code first';
  if (/^\+[1-9]\d{0,14}$/.test(text) && !forms.acceptPlus) {
    return `begins with +; set msisdn.acceptPlus to read it, or write the digits alone`;
  }
  if (!/^0\d*$/.test(text)) return rule;
  const remedy =
    forms.internationalPrefix === null
      ? 'set msisdn.internationalPrefix if an international prefix such as 00 is written before it'
      : `only the prefix ${forms.internationalPrefix} (msisdn.internationalPrefix) may be written before it`;
  return `begins with 0, as no country code does (E.164); ${remedy}`;
}

/** Whether two spellings are of one MSISDN, whatever is configured: a message key may have the `+` that its record has not. */
export function isSameMsisdn(normal: string, other: string, { internationalPrefix }: MsisdnForms): boolean {
  return normalMsisdn(other, { acceptPlus: true, internationalPrefix }) === normal;
}

function normalOrNull(digits: string): string | null {
  return E164.test(digits) ? digits : null;
}
