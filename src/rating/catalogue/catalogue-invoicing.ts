import * as z from 'zod';

/** Tax categories of EN 16931 (UNCL 5305), and whether one has a rate, none, or a rate of 0 with a reason. */
const TAX_CATEGORIES = {
  S: 'rate',
  Z: 'zero',
  E: 'reason',
  AE: 'reason',
  O: 'reason',
} as const;

type TaxCategory = keyof typeof TAX_CATEGORIES;

/** One line that XML and a spreadsheet can hold. */
const text = (maxLength: number, of: string) =>
  z
    .string()
    .min(1)
    .max(maxLength)
    .regex(/^[^\p{Cc}\p{Cs}\uFFFE\uFFFF]*$/u, { error: 'expected one line of text' })
    .regex(/\S/, { error: 'expected a text that is not blank' })
    .describe(of);

const days = () => z.int().min(0).max(3650);

const addressSchema = z
  .strictObject({
    street: text(256, 'Street and number (BT-35, BT-50).'),
    city: text(128, 'City (BT-37, BT-52).'),
    postalCode: text(32, 'Postal code (BT-38, BT-53).').optional(),
    region: text(128, 'State, province or region (BT-39, BT-54).').optional(),
    country: z
      .string()
      .regex(/^[A-Z]{2}$/, { error: 'expected the two letters of ISO 3166-1, as DE' })
      .describe('Country, ISO 3166-1 alpha-2 (BT-40, BT-55).'),
  })
  .describe('Postal address.');

const endpointSchema = z
  .strictObject({
    scheme: z
      .string()
      .regex(/^([0-9]{4}|EM)$/, { error: 'expected a code of the EAS list, as 0088 or EM' })
      .describe('Code of the Electronic Address Scheme list: 0088 is GLN, 9930 a German VAT number, EM e-mail.'),
    id: text(256, 'The address itself.'),
  })
  .describe('Where electronic invoices are sent to and from (BT-34, BT-49).');

const party = {
  legalName: text(256, 'Name as registered (BT-27, BT-44).'),
  taxId: text(
    64,
    'Tax number. One that begins with the letters of its country, as DE123456789, is a VAT number (BT-31, BT-48).',
  ).optional(),
  companyId: text(64, 'Number in the register of companies (BT-30, BT-47).').optional(),
  address: addressSchema,
  endpoint: endpointSchema.optional(),
};

const sellerSchema = z
  .strictObject({
    ...party,
    bankAccount: z
      .strictObject({
        id: text(64, 'IBAN, or the number of the account (BT-84).'),
        name: text(256, 'Name of the account (BT-85).').optional(),
        bankId: text(32, 'BIC, or another number of the bank (BT-86).').optional(),
      })
      .optional()
      .describe('Where sponsors pay to.'),
    contact: z
      .strictObject({
        name: text(256, 'Name or department (BT-41).'),
        phone: text(64, 'Telephone number (BT-42).').optional(),
        email: text(256, 'E-mail address (BT-43).').optional(),
      })
      .optional()
      .describe('Who answers questions about an invoice.'),
  })
  .describe('Who issues the invoices.');

const taxSchema = z
  .strictObject({
    category: z
      .enum(Object.keys(TAX_CATEGORIES) as [TaxCategory, ...TaxCategory[]])
      .describe(
        'Tax category of EN 16931: S standard rate, Z zero rated, E exempt, AE reverse charge, O outside the scope of tax.',
      ),
    rate: z
      .string()
      .regex(/^(0|[1-9]\d?)(\.\d{1,4})?$/, { error: 'expected a percentage in quotes, below 100, as "19" or "8.875"' })
      .optional()
      .describe('Percent of the taxable amount: decimal text, at most 4 decimals. Only of category S, which needs it.'),
    exemptionReason: text(
      256,
      'Why no tax is charged (BT-120). Categories E, AE and O need it; S and Z have none.',
    ).optional(),
  })
  .superRefine(({ category, rate, exemptionReason }, context) => {
    const kind = TAX_CATEGORIES[category];
    const fault = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (kind === 'rate' && (rate === undefined || Number(rate) === 0))
      fault('rate', `category ${category} needs a rate above 0`);
    if (kind !== 'rate' && rate !== undefined)
      fault('rate', `category ${category} has no rate of its own; leave it out`);
    if (kind === 'reason' && exemptionReason === undefined)
      fault('exemptionReason', `category ${category} needs a reason, as "Reverse charge"`);
    if (kind !== 'reason' && exemptionReason !== undefined)
      fault('exemptionReason', `category ${category} has no exemption reason; leave it out`);
  })
  .describe('The tax on what is sold to this buyer.');

export const buyerSchema = z
  .strictObject({
    ...party,
    tax: taxSchema,
    termsDays: days().optional().describe('Days from issue to due date; absent: as `invoicing` says.'),
    reference: text(128, 'Buyer reference (BT-10).').optional(),
    orderReference: text(128, 'Purchase order of the buyer (BT-13).').optional(),
  })
  .describe('To whom the sponsor’s invoices are made out. Absent: its statements are no invoices.');

export const invoicingSchema = z
  .strictObject({
    seller: sellerSchema,
    numbers: z
      .string()
      .max(64)
      .regex(/^[A-Za-z0-9/_.-]*(\{year\}[A-Za-z0-9/_.-]*)?\{number(:([1-9]|1[0-5]))?\}$/, {
        error:
          'expected letters, digits and / _ . - with an optional {year}, and {number} at its end, as ZR-{year}-{number:6}',
      })
      .describe(
        'Form of invoice numbers. {number:6} counts without a gap, with at least 6 digits; {year} is the year of the issue date, and each year counts from the beginning.',
      ),
    firstNumber: z.int().min(1).max(999_999_999).optional().describe('First number of a series. Absent: 1.'),
    termsDays: days().describe('Days from the issue of an invoice to its due date.'),
  })
  .describe('What turns a statement into an invoice when its month is closed. Absent: statements are no invoices.');

export type Invoicing = z.output<typeof invoicingSchema>;
export type Buyer = z.output<typeof buyerSchema>;
export type InvoiceTax = Buyer['tax'];

/** The schemas that a closed month's invoice is frozen by. */
export const invoiceParts = { seller: sellerSchema, buyer: buyerSchema };

/** A tax number as EN 16931 wants a VAT identifier: it begins with its country (BR-CO-09). Greece writes EL. */
export function isVatId(taxId: string | undefined): boolean {
  return taxId !== undefined && /^[A-Z]{2}[0-9A-Z+*.]{2,}$/.test(taxId);
}
