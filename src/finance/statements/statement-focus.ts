import { csvText } from '../../formats/csv.ts';
import { endOfMonthMs, type Month, startOfMonthMs } from '../month.ts';
import { exactUnits } from '../shown-money.ts';
import { kindName, type TermsPart, termsName, termsParts } from './monthly-terms.ts';
import type { Statement, StatementCorrection, StatementLine, StatementTier } from './statement-document.ts';

/** Columns of FOCUS 1.2 in their order; columns without a meaning here are present and empty. */
const COLUMNS = [
  'AvailabilityZone',
  'BilledCost',
  'BillingAccountId',
  'BillingAccountName',
  'BillingAccountType',
  'BillingCurrency',
  'BillingPeriodEnd',
  'BillingPeriodStart',
  'CapacityReservationId',
  'CapacityReservationStatus',
  'ChargeCategory',
  'ChargeClass',
  'ChargeDescription',
  'ChargeFrequency',
  'ChargePeriodEnd',
  'ChargePeriodStart',
  'CommitmentDiscountCategory',
  'CommitmentDiscountId',
  'CommitmentDiscountName',
  'CommitmentDiscountQuantity',
  'CommitmentDiscountStatus',
  'CommitmentDiscountType',
  'CommitmentDiscountUnit',
  'ConsumedQuantity',
  'ConsumedUnit',
  'ContractedCost',
  'ContractedUnitPrice',
  'EffectiveCost',
  'InvoiceId',
  'InvoiceIssuerName',
  'ListCost',
  'ListUnitPrice',
  'PricingCategory',
  'PricingCurrency',
  'PricingCurrencyContractedUnitPrice',
  'PricingCurrencyEffectiveCost',
  'PricingCurrencyListUnitPrice',
  'PricingQuantity',
  'PricingUnit',
  'ProviderName',
  'PublisherName',
  'RegionId',
  'RegionName',
  'ResourceId',
  'ResourceName',
  'ResourceType',
  'ServiceCategory',
  'ServiceName',
  'ServiceSubcategory',
  'SkuId',
  'SkuMeter',
  'SkuPriceDetails',
  'SkuPriceId',
  'SubAccountId',
  'SubAccountName',
  'SubAccountType',
  'Tags',
] as const;

type Column = (typeof COLUMNS)[number];
type FocusRow = Partial<Record<Column, string>>;

/** Issuer of a statement that is no invoice. */
const UNNAMED_CARRIER = 'carrier';
const MIB_DIGITS = 20n;

/**
 * Returns the statement in the columns of FOCUS 1.2 (focus.finops.org), as CSV. `BilledCost` adds up to the amount due
 * exactly: usage by tier, roundings, corrections, fees, rebates, shortfalls, tax, and prepayments.
 */
export function statementFocus(statement: Statement): string {
  const { lines, corrections } = statement;
  const rows = [
    ...lines.flatMap((line) => [
      ...line.tiers.map((tier) => tierRow(statement, line, tier)),
      ...lineRounding(statement, line),
    ]),
    ...corrections.map((correction) => correctionRow(statement, correction)),
    ...termsParts(statement).map((part) => termsRow(statement, part)),
    ...dueRows(statement),
  ];
  return csvText([COLUMNS, ...rows.map((row) => COLUMNS.map((column) => row[column] ?? ''))]);
}

/** Returns the columns that every row has. */
function common({ sponsor, month, invoice }: Statement, usageMonth: Month, costMicros: bigint): FocusRow {
  const provider = invoice?.seller.legalName ?? UNNAMED_CARRIER;
  const cost = exactUnits(costMicros);
  return {
    BilledCost: cost,
    BillingAccountId: sponsor.id,
    BillingAccountName: sponsor.name,
    BillingAccountType: 'Sponsor',
    BillingCurrency: sponsor.currency,
    BillingPeriodEnd: instant(endOfMonthMs(month)),
    BillingPeriodStart: instant(startOfMonthMs(month)),
    ChargePeriodEnd: instant(endOfMonthMs(usageMonth)),
    ChargePeriodStart: instant(startOfMonthMs(usageMonth)),
    ContractedCost: cost,
    EffectiveCost: cost,
    InvoiceId: invoice?.number ?? '',
    InvoiceIssuerName: provider,
    ListCost: cost,
    ProviderName: provider,
    PublisherName: provider,
    ServiceCategory: 'Networking',
    ServiceName: 'Sponsored data',
    ServiceSubcategory: 'Network Connectivity',
  };
}

function usage(statement: Statement, line: StatementLine, costMicros: bigint): FocusRow {
  return {
    ...common(statement, line.usageMonth, costMicros),
    ResourceId: line.applicationId,
    ResourceName: line.applicationId,
    ResourceType: 'Application',
    SubAccountId: line.applicationId,
    SubAccountName: line.applicationId,
    SubAccountType: 'Application',
  };
}

function tierRow(statement: Statement, line: StatementLine, tier: StatementTier): FocusRow {
  const price = exactUnits(tier.pricePerMiBMicros);
  const plan = `${line.planId} version ${line.planVersion}`;
  return {
    ...usage(statement, line, tier.amountMicros),
    ChargeCategory: 'Usage',
    ChargeDescription: `Sponsored data of ${line.applicationId}, ${plan}, from ${tier.fromOctets} octets of a subscriber on`,
    ChargeFrequency: 'Usage-Based',
    ConsumedQuantity: String(tier.octets),
    ConsumedUnit: 'B',
    ContractedUnitPrice: price,
    ListUnitPrice: price,
    PricingCategory: 'Standard',
    PricingQuantity: mebibytes(tier.octets),
    PricingUnit: 'MiB',
    SkuId: line.planId,
    SkuMeter: 'Sponsored octets',
    SkuPriceId: `${line.planId}-v${line.planVersion}-${tier.fromOctets}`,
  };
}

function lineRounding(statement: Statement, line: StatementLine): FocusRow[] {
  if (line.roundingMicros === 0n) return [];
  const description = `Rounding of ${line.applicationId}, once for each subscriber and period`;
  return [{ ...usage(statement, line, line.roundingMicros), ...adjustment(description) }];
}

function adjustment(ChargeDescription: string): FocusRow {
  return { ChargeCategory: 'Adjustment', ChargeDescription, ChargeFrequency: 'One-Time' };
}

function correctionRow(
  statement: Statement,
  { number, name, usageMonth, isAdjustment, chargeMicros }: StatementCorrection,
): FocusRow {
  return {
    ...common(statement, usageMonth, chargeMicros),
    ...adjustment(`Correction ${number}: ${name}`),
    // Of a billing period that was invoiced before.
    ...(isAdjustment && { ChargeClass: 'Correction' }),
  };
}

/** A flat fee is a recurring purchase, a rebate a credit, and a shortfall an adjustment of the month. */
function termsRow(statement: Statement, { kind, terms, amountMicros }: TermsPart): FocusRow {
  const { applicationId: application } = terms;
  const row: FocusRow = {
    ...common(statement, statement.month, amountMicros),
    ...(application !== null && {
      SubAccountId: application,
      SubAccountName: application,
      SubAccountType: 'Application',
    }),
  };
  const description = `${kindName(kind)}, terms ${termsName(terms)}`;
  if (kind === 'flat-fee') {
    const price = exactUnits(amountMicros);
    return {
      ...row,
      ChargeCategory: 'Purchase',
      ChargeDescription: description,
      ChargeFrequency: 'Recurring',
      ContractedUnitPrice: price,
      ListUnitPrice: price,
      PricingCategory: 'Standard',
      PricingQuantity: '1',
      PricingUnit: 'Month',
      SkuId: terms.id,
      SkuPriceId: `${terms.id}-v${terms.version}`,
    };
  }
  return { ...row, ...adjustment(description), ...(amountMicros < 0n && { ChargeCategory: 'Credit' }) };
}

/** Returns the rows between the sum of the charges and the amount due. */
function dueRows(statement: Statement): FocusRow[] {
  const { due, totals, month, invoice } = statement;
  if (due === null) return [];
  const row = (micros: bigint, more: FocusRow): FocusRow[] =>
    micros === 0n ? [] : [{ ...common(statement, month, micros), ...more }];
  const rest = due.amountDueMicros - due.taxableMicros - due.taxMicros;
  const paidAhead = rest < 0n ? 'Credit' : 'Adjustment';
  return [
    ...row(due.taxableMicros - totals.totalMicros, adjustment('Rounding to the currency’s unit')),
    ...row(due.taxMicros, {
      ChargeCategory: 'Tax',
      ChargeDescription: `Tax ${invoice?.buyer.tax.rate ?? ''} %`,
      ChargeFrequency: 'One-Time',
    }),
    ...row(rest, { ...adjustment('Paid ahead, and other entries of the account'), ChargeCategory: paidAhead }),
  ];
}

function instant(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('.000Z', 'Z');
}

/** Returns octets in MiB, exactly: a division by 2^20 ends after 20 decimals. */
function mebibytes(octets: bigint): string {
  const scaled = (octets * 10n ** MIB_DIGITS) / 2n ** 20n;
  const text = String(scaled).padStart(Number(MIB_DIGITS) + 1, '0');
  const decimals = text.slice(-Number(MIB_DIGITS)).replace(/0+$/, '');
  return decimals === '' ? text.slice(0, -Number(MIB_DIGITS)) : `${text.slice(0, -Number(MIB_DIGITS))}.${decimals}`;
}
