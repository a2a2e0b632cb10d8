import type { RowField } from './exported-row.ts';

interface CellForm {
  form: RegExp;
  expected: string;
}

const WHOLE_NUMBER: CellForm = { form: /^(0|-?[1-9]\d*)$/, expected: 'a whole number' };
const DATE: CellForm = { form: /^\d{4}-\d{2}-\d{2}$/, expected: 'a date as 2026-11-30' };
const NAME: CellForm = { form: /^[a-z0-9][a-z0-9._-]*$/, expected: 'a name of the catalogue' };
const WORD: CellForm = { form: /^[a-z][a-z0-9_+]*$/, expected: 'a word' };

/** The form of each cell as it is exported. */
const FORMS: Readonly<Record<RowField, CellForm>> = {
  topic: { form: /./s, expected: 'a text' },
  partition: WHOLE_NUMBER,
  offset: WHOLE_NUMBER,
  origin: { form: /^(charge|reversal|recharge)$/, expected: 'charge, reversal or recharge' },
  correction_number: WHOLE_NUMBER,
  booking_date: DATE,
  month: { form: /^\d{4}-\d{2}$/, expected: 'a month as 2026-11' },
  period_start: DATE,
  sponsor_id: NAME,
  application_id: NAME,
  plan_id: NAME,
  plan_version: WHOLE_NUMBER,
  subscriber: { form: /^[0-9a-f]{32}$/, expected: '32 hex digits' },
  evidence: WORD,
  content_type: WORD,
  start_time: {
    form: /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/,
    expected: 'an instant as 2026-11-30T23:59:59.999Z',
  },
  reason: WORD,
  sponsored_octets: WHOLE_NUMBER,
  subscriber_octets: WHOLE_NUMBER,
  charge_micros: WHOLE_NUMBER,
  currency: { form: /^[A-Z]{3}$/, expected: 'a code of ISO 4217' },
  used_octets_after: WHOLE_NUMBER,
};

/** Forms that spreadsheets give cells when they save a file again. */
const SPREADSHEET_FORMS: readonly { form: RegExp; what: string }[] = [
  { form: /^[+-]?\d+([.,]\d+)?E[+-]?\d+$/i, what: 'a number in scientific form' },
  { form: /^-?\d{1,3}([.,'’ \u00a0\u202f]\d{3})+$/, what: 'a number with its digits in groups' },
  { form: /^-?\d+[.,]\d*$/, what: 'a number with decimals' },
  { form: /^#+$|^#[A-Z/0!?]+$/, what: 'an error of a formula, or a column that was too narrow' },
  { form: /^=/, what: 'a formula' },
  { form: /^\s|\s$/, what: 'spaces around a cell' },
  { form: /^0\d+$/, what: 'zeros before a number' },
  { form: /^[0-9a-f]{1,31}$/, what: 'a text that lost its leading zeros' },
  {
    form: /^\d{1,4}[./-]\d{1,2}[./-]\d{1,4}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( [AP]M)?)?$/i,
    what: 'a date in another form',
  },
  { form: /^(\d{1,2}[./-])?\p{L}{3,}\.?[ ./-]\d{2,4}$/u, what: 'a month in another form' },
  { form: /^$/, what: 'an empty cell' },
];

/** Returns what is wrong with a cell, or null; a form that a spreadsheet makes is named as such. */
export function cellFault(name: RowField, text: string): string | null {
  const { form, expected } = FORMS[name];
  if (form.test(text)) return null;
  const fault = `expected ${expected}, got ${JSON.stringify(text)}`;
  const spreadsheet = SPREADSHEET_FORMS.find((each) => each.form.test(text));
  if (spreadsheet === undefined) return fault;
  return `${fault}: re-saved by a spreadsheet: ${spreadsheet.what}; use the original file`;
}
