import { create } from 'xmlbuilder2';
import { ConfigError } from '../../platform/config/config-error.ts';
import { type InvoiceTax, isVatId } from '../../rating/catalogue/catalogue-invoicing.ts';
import { endOfMonthMs, startOfMonthMs } from '../month.ts';
import { roundedUnits } from '../shown-money.ts';
import type { Invoice, IssuedInvoice } from './invoice.ts';
import { type InvoiceLine, invoiceLines, linesRoundingMicros } from './invoice-lines.ts';
import { sumOf } from './statement-arithmetic.ts';
import type { Statement, StatementDue } from './statement-document.ts';

/** EN 16931 without a national extension. */
const CUSTOMIZATION = 'urn:cen.eu:en16931:2017';
const PROFILE = 'urn:fdc:peppol.eu:2017:poacc:billing:01:1.0';
const COMMERCIAL_INVOICE = '380';
const CREDIT_TRANSFER = '30';
const SEPA_CREDIT_TRANSFER = '58';
/** UN/ECE Recommendation 20: byte, and one. */
const UNIT_CODES = { octet: 'AD', one: 'C62' } as const;
const NAMESPACE = 'urn:oasis:names:specification:ubl:schema:xsd:';

/** A value for xmlbuilder2: `@` attributes, `#` text, lists for repeated elements; undefined is left out. */
type Node = string | { [name: string]: Node | readonly Node[] | undefined };

interface Context {
  statement: Statement;
  invoice: IssuedInvoice;
  due: StatementDue;
  lines: readonly InvoiceLine[];
  money: (micros: bigint) => Node;
}

/** Returns a closed month's invoice as UBL 2.1, by EN 16931. Throws a ConfigError for a statement that is no invoice. */
export function statementUbl(statement: Statement): string {
  const { sponsor, invoice, due, month } = statement;
  if (!isIssued(invoice) || due === null) throw new ConfigError(noInvoice(statement));
  const lines = invoiceLines(statement);
  const money = (micros: bigint): Node => ({
    '@currencyID': sponsor.currency,
    '#': roundedUnits(micros, sponsor.minorDigits),
  });
  const context: Context = { statement, invoice, due, lines, money };
  const { buyer, seller, number, issueDate, dueDate, termsDays } = invoice;
  const root: Node = {
    '@xmlns': `${NAMESPACE}Invoice-2`,
    '@xmlns:cac': `${NAMESPACE}CommonAggregateComponents-2`,
    '@xmlns:cbc': `${NAMESPACE}CommonBasicComponents-2`,
    'cbc:CustomizationID': CUSTOMIZATION,
    'cbc:ProfileID': PROFILE,
    'cbc:ID': number,
    'cbc:IssueDate': issueDate,
    'cbc:DueDate': dueDate,
    'cbc:InvoiceTypeCode': COMMERCIAL_INVOICE,
    'cbc:Note': `Statement of ${month}, sponsor ${sponsor.id}`,
    'cbc:DocumentCurrencyCode': sponsor.currency,
    'cbc:BuyerReference': buyer.reference,
    'cac:InvoicePeriod': period(month),
    'cac:OrderReference': buyer.orderReference === undefined ? undefined : { 'cbc:ID': buyer.orderReference },
    'cac:AccountingSupplierParty': { 'cac:Party': party(seller, buyer.tax, true) },
    'cac:AccountingCustomerParty': { 'cac:Party': party(buyer, buyer.tax, false) },
    'cac:PaymentMeans': paymentMeans(invoice),
    'cac:PaymentTerms': { 'cbc:Note': `Payable within ${termsDays} days` },
    'cac:AllowanceCharge': roundingOf(context),
    'cac:TaxTotal': taxTotal(context),
    'cac:LegalMonetaryTotal': monetaryTotal(context),
    'cac:InvoiceLine': lines.length === 0 ? [emptyLine(context)] : lines.map((line, at) => lineOf(context, line, at)),
  };
  return `${create({ version: '1.0', encoding: 'UTF-8' }, { Invoice: present(root) }).end({ prettyPrint: true })}\n`;
}

function isIssued(invoice: Invoice | null): invoice is IssuedInvoice {
  return invoice !== null && invoice.number !== null && invoice.issueDate !== null && invoice.dueDate !== null;
}

function noInvoice({ sponsor, month, isClosed, invoice }: Statement): string {
  if (!isClosed && invoice !== null)
    return `${sponsor.id}, ${month}: is open, so its invoice has no number yet; close the month first`;
  const remedy = isClosed
    ? 'it was closed without a seller and a buyer in the catalogue, or nothing was due'
    : 'the catalogue has no `invoicing` or no `buyer` for the sponsor, or nothing is due';
  return `${sponsor.id}, ${month}: the statement is no invoice: ${remedy}`;
}

function period(month: string): Node {
  const [from, to] = [startOfMonthMs(month), endOfMonthMs(month) - 1].map((ms) =>
    new Date(ms).toISOString().slice(0, 10),
  );
  return { 'cbc:StartDate': from, 'cbc:EndDate': to };
}

/**
 * Category O allows no VAT number (BR-O-02): then the seller's is a tax registration, and the buyer's a company identifier.
 */
function party(who: Invoice['seller'] | Invoice['buyer'], { category }: InvoiceTax, isSeller: boolean): Node {
  const { legalName, taxId, companyId, address, endpoint } = who;
  const isVat = category !== 'O' && isVatId(taxId);
  const contact = 'contact' in who ? who.contact : undefined;
  const taxScheme = { 'cbc:CompanyID': taxId, 'cac:TaxScheme': { 'cbc:ID': isVat ? 'VAT' : 'TAX' } };
  return {
    'cbc:EndpointID': endpoint === undefined ? undefined : { '@schemeID': endpoint.scheme, '#': endpoint.id },
    'cac:PostalAddress': {
      'cbc:StreetName': address.street,
      'cbc:CityName': address.city,
      'cbc:PostalZone': address.postalCode,
      'cbc:CountrySubentity': address.region,
      'cac:Country': { 'cbc:IdentificationCode': address.country },
    },
    'cac:PartyTaxScheme': taxId === undefined || !(isVat || isSeller) ? undefined : taxScheme,
    'cac:PartyLegalEntity': {
      'cbc:RegistrationName': legalName,
      'cbc:CompanyID': companyId ?? (isVat ? undefined : taxId),
    },
    'cac:Contact':
      contact === undefined
        ? undefined
        : { 'cbc:Name': contact.name, 'cbc:Telephone': contact.phone, 'cbc:ElectronicMail': contact.email },
  };
}

function paymentMeans({ seller: { bankAccount }, number }: IssuedInvoice): Node | undefined {
  if (bankAccount === undefined) return undefined;
  const { id, name, bankId } = bankAccount;
  return {
    'cbc:PaymentMeansCode': /^[A-Z]{2}\d{2}/.test(id) ? SEPA_CREDIT_TRANSFER : CREDIT_TRANSFER,
    'cbc:PaymentID': number,
    'cac:PayeeFinancialAccount': {
      'cbc:ID': id,
      'cbc:Name': name,
      'cac:FinancialInstitutionBranch': bankId === undefined ? undefined : { 'cbc:ID': bankId },
    },
  };
}

function taxCategory({ category, rate }: InvoiceTax, reason?: string): Node {
  return {
    'cbc:ID': category,
    'cbc:Percent': category === 'O' ? undefined : (rate ?? '0'),
    'cbc:TaxExemptionReason': reason,
    'cac:TaxScheme': { 'cbc:ID': 'VAT' },
  };
}

/**
 * Returns the difference between lines, rounded one by one, and the taxable amount, rounded once: an allowance or a charge.
 */
function roundingOf({ lines, due, invoice, money }: Context): Node | undefined {
  const rounding = linesRoundingMicros(lines, due.taxableMicros);
  if (rounding === 0n) return undefined;
  return {
    'cbc:ChargeIndicator': String(rounding > 0n),
    'cbc:AllowanceChargeReason': 'Rounding of line amounts',
    'cbc:Amount': money(rounding < 0n ? -rounding : rounding),
    'cac:TaxCategory': taxCategory(invoice.buyer.tax),
  };
}

function taxTotal({ due, invoice: { buyer }, money }: Context): Node {
  return {
    'cbc:TaxAmount': money(due.taxMicros),
    'cac:TaxSubtotal': {
      'cbc:TaxableAmount': money(due.taxableMicros),
      'cbc:TaxAmount': money(due.taxMicros),
      'cac:TaxCategory': taxCategory(buyer.tax, buyer.tax.exemptionReason),
    },
  };
}

function monetaryTotal({ lines, due, money }: Context): Node {
  const rounding = linesRoundingMicros(lines, due.taxableMicros);
  const inclusiveMicros = due.taxableMicros + due.taxMicros;
  const prepaidMicros = inclusiveMicros - due.amountDueMicros;
  return {
    'cbc:LineExtensionAmount': money(sumOf(lines, ({ netMicros }) => netMicros)),
    'cbc:TaxExclusiveAmount': money(due.taxableMicros),
    'cbc:TaxInclusiveAmount': money(inclusiveMicros),
    'cbc:AllowanceTotalAmount': rounding < 0n ? money(-rounding) : undefined,
    'cbc:ChargeTotalAmount': rounding > 0n ? money(rounding) : undefined,
    'cbc:PrepaidAmount': prepaidMicros === 0n ? undefined : money(prepaidMicros),
    'cbc:PayableAmount': money(due.amountDueMicros),
  };
}

function lineOf({ invoice, money, statement }: Context, line: InvoiceLine, at: number): Node {
  const unitCode = UNIT_CODES[line.unit];
  return {
    'cbc:ID': String(at + 1),
    'cbc:InvoicedQuantity': { '@unitCode': unitCode, '#': String(line.quantity) },
    'cbc:LineExtensionAmount': money(line.netMicros),
    'cac:Item': {
      'cbc:Description': line.description,
      'cbc:Name': line.name,
      'cac:ClassifiedTaxCategory': taxCategory(invoice.buyer.tax),
    },
    'cac:Price': {
      'cbc:PriceAmount': { '@currencyID': statement.sponsor.currency, '#': line.price },
      'cbc:BaseQuantity': { '@unitCode': unitCode, '#': String(line.baseQuantity) },
    },
  };
}

/** Returns a line of 0: an invoice has a line (BR-16), also where only entries of the account are due. */
function emptyLine(context: Context): Node {
  const { month } = context.statement;
  const line: InvoiceLine = {
    name: 'Sponsored data',
    description: `Nothing was charged in ${month}`,
    usageMonth: month,
    isCorrection: false,
    quantity: 1n,
    unit: 'one',
    price: '0',
    baseQuantity: 1n,
    netMicros: 0n,
  };
  return lineOf(context, line, 0);
}

/** Returns a node without undefined values, and with texts that XML can hold. */
function present(node: Node): Node {
  if (typeof node === 'string')
    return node.replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD');
  const parts = Object.entries(node).filter(
    (entry): entry is [string, Node | readonly Node[]] => entry[1] !== undefined,
  );
  return Object.fromEntries(
    parts.map(([name, value]) => [name, Array.isArray(value) ? value.map(present) : present(value as Node)]),
  );
}
