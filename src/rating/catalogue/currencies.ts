/**
 * The currencies of ISO 4217, list one of 2026-01-01, by the decimals of their minor unit. They are data of this program, as
 * a runtime's own table gives other decimals by its version. To bring them up to date: change the lists and
 * `CURRENCIES_PUBLISHED`; `currencies.test.ts` compares them with a copy of the published list.
 */
export const CURRENCIES_PUBLISHED = '2026-01-01';

const CODES_BY_DECIMALS: readonly (readonly [decimals: number, codes: string])[] = [
  [0, 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'],
  [
    2,
    'AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE ' +
      'CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD ' +
      'HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK ' +
      'MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD ' +
      'RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH ' +
      'USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG',
  ],
  [3, 'BHD IQD JOD KWD LYD OMR TND'],
  [4, 'CLF UYW'],
];
/** `N.A.` in the list: metals, units of account, testing. */
const CODES_WITHOUT_MINOR_UNIT = 'XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX';
/** Withdrawn from 2021 on, with their last decimals: accounts that were kept in them stay readable. */
const WITHDRAWN_CODES = 'ANG BGN CUC HRK SLL ZWL';
/** Nothing that is kept in micro-units is finer. */
const MICRO_UNIT_DECIMALS = 6;

const decimals = new Map<string, number>([
  ...CODES_BY_DECIMALS.flatMap(([digits, codes]) => codes.split(' ').map((code) => [code, digits] as const)),
  ...CODES_WITHOUT_MINOR_UNIT.split(' ').map((code) => [code, MICRO_UNIT_DECIMALS] as const),
  ...WITHDRAWN_CODES.split(' ').map((code) => [code, 2] as const),
]);

/** Whether a text is a code of ISO 4217 that an account may be kept in. */
export function isCurrency(code: string): boolean {
  return decimals.has(code);
}

/**
 * Decimals of a currency: JPY 0, USD 2, KWD 3, CLF 4. A currency without a minor unit, as XAU, is not rounded: it has the
 * six of a micro-unit. Throws a RangeError for what is no currency.
 */
export function minorDigitsOf(currency: string): number {
  const digits = decimals.get(currency);
  if (digits === undefined) throw new RangeError(`"${currency}" is no currency of ISO 4217`);
  return digits;
}
