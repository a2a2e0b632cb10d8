import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { ConfigError } from '../../platform/config/config-error.ts';

/** One movement on a bank account: an entry of a statement, or one transaction of an entry that a bank has batched. */
export interface BankMovement {
  /** Line of its entry in the file. */
  line: number;
  statementId: string;
  /** IBAN or other number of the account, without spaces. */
  account: string;
  /** The bank's permanent reference of it within the account; null: it has none. */
  reference: string | null;
  /** Decimal text as the bank wrote it, and its currency. */
  amount: string;
  currency: string;
  isCredit: boolean;
  isReversal: boolean;
  /** `BOOK`, `PDNG`, `INFO` or another status of the bank. */
  status: string;
  /** Day of booking, `2026-11-02`; empty: the bank names none. */
  day: string;
  debtorName: string;
  /** IBAN or other number, without spaces; empty: unknown. */
  debtorAccount: string;
  /** Structured references: creditor reference and document numbers. */
  references: string[];
  /** Unstructured remittance and end-to-end identification. */
  remittance: string[];
  /** Why its parts are ambiguous or do not add up; null: no fault. */
  fault: string | null;
}

type Xml = { readonly [name: string]: unknown } | string | undefined;

const NAMESPACE = /urn:iso:std:iso:20022:tech:xsd:([a-z]{4}\.\d{3}\.\d{3}\.\d{2})/;
const LISTS = new Set(['Stmt', 'Ntry', 'NtryDtls', 'TxDtls', 'Ustrd', 'Strd', 'RfrdDocInf', 'AddtlRmtInf']);
const NOT_PROVIDED = 'NOTPROVIDED';
const METADATA = XMLParser.getMetaDataSymbol() as unknown as symbol;

/**
 * Returns every movement of a bank statement, ISO 20022 camt.053 from version 001.02 on, in the order of the file. Throws a
 * ConfigError with file and line for other content.
 */
export function readCamt053(bytes: Uint8Array, fileName: string): BankMovement[] {
  const text = textOf(bytes, fileName).replace(/\r\n?/g, '\n');
  const statements = list(child(documentOf(text, fileName), 'BkToCstmrStmt'), 'Stmt');
  return statements.flatMap((statement) => {
    const place = { statementId: value(statement, 'Id'), account: accountOf(child(statement, 'Acct')) };
    return list(statement, 'Ntry').flatMap((entry) => movementsOf(entry, { ...place, line: lineOf(entry, text) }));
  });
}

function textOf(bytes: Uint8Array, fileName: string): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer[0] === 0xff && buffer[1] === 0xfe) return buffer.toString('utf16le').slice(1);
  const encoding = /^[^<]*<\?xml[^>]*encoding=["']([^"']+)/.exec(buffer.toString('latin1', 0, 200))?.[1] ?? 'UTF-8';
  const name = encoding.toLowerCase();
  if (name === 'iso-8859-1' || name === 'us-ascii') return buffer.toString('latin1');
  if (name === 'utf-8') return buffer.toString('utf8').replace(/^\uFEFF/, '');
  throw new ConfigError(`${fileName}:1: is in ${encoding}: convert it to UTF-8`);
}

function documentOf(text: string, fileName: string): Xml {
  const valid = XMLValidator.validate(text);
  if (valid !== true) {
    throw new ConfigError(
      `${fileName}:${valid.err.line}: is no XML: ${valid.err.msg} Fetch the file from the bank again`,
    );
  }
  if (/<!DOCTYPE/i.test(text)) throw new ConfigError(`${fileName}: has a DOCTYPE, which no bank statement has`);
  const message = NAMESPACE.exec(text)?.[1];
  const parser = new XMLParser({
    removeNSPrefix: true,
    ignoreAttributes: false,
    attributeNamePrefix: '@',
    parseTagValue: false,
    parseAttributeValue: false,
    captureMetaData: true,
    isArray: (name) => LISTS.has(name),
  });
  const document = child(parser.parse(text) as Xml, 'Document');
  if ((message !== undefined && !message.startsWith('camt.053.')) || child(document, 'BkToCstmrStmt') === undefined) {
    const got = message ?? 'a file without BkToCstmrStmt';
    throw new ConfigError(`${fileName}: expected a bank statement camt.053 (BkToCstmrStmt), got ${got}`);
  }
  return document;
}

type Place = Pick<BankMovement, 'statementId' | 'account' | 'line'>;

/** Returns one movement for an entry of one transaction, and one for each transaction of several. */
function movementsOf(entry: Xml, place: Place): BankMovement[] {
  const reference = value(entry, 'AcctSvcrRef');
  const own = value(entry, 'NtryRef');
  const whole: BankMovement = {
    ...place,
    reference: reference || (own === '' ? null : `${place.statementId}/${own}`),
    amount: value(entry, 'Amt'),
    currency: value(entry, 'Amt', '@Ccy'),
    isCredit: value(entry, 'CdtDbtInd') === 'CRDT',
    isReversal: value(entry, 'RvslInd') === 'true' || value(entry, 'RvslInd') === '1',
    // A code until version 7, a choice of codes since.
    status: value(entry, 'Sts') || value(entry, 'Sts', 'Cd') || value(entry, 'Sts', 'Prtry'),
    day: dayOf(child(entry, 'BookgDt')) || dayOf(child(entry, 'ValDt')),
    debtorName: '',
    debtorAccount: '',
    references: [],
    remittance: [value(entry, 'AddtlNtryInf')].filter((text) => text !== ''),
    fault: null,
  };
  const parts = list(entry, 'NtryDtls').flatMap((details) => list(details, 'TxDtls'));
  if (parts.length === 0) return [whole];
  if (parts.length === 1) return [withDetails(whole, parts[0])];
  return batchOf(whole, parts);
}

function batchOf(whole: BankMovement, parts: readonly Xml[]): BankMovement[] {
  const movements = parts.map((part, at) => {
    const own = value(part, 'Refs', 'AcctSvcrRef');
    const name = own === '' || own === whole.reference ? `${at + 1}` : own;
    const amount = child(part, 'Amt') ?? child(part, 'AmtDtls', 'TxAmt', 'Amt');
    const direction = value(part, 'CdtDbtInd');
    return {
      ...withDetails(whole, part),
      reference: whole.reference === null ? null : `${whole.reference}/${name}`,
      amount: value(amount),
      currency: value(amount, '@Ccy') || whole.currency,
      ...(direction !== '' && { isCredit: direction === 'CRDT' }),
    };
  });
  const sum = movements.reduce(
    (sum, { amount, isCredit }) => sum + (isCredit === whole.isCredit ? scaled(amount) : -scaled(amount)),
    0n,
  );
  if (sum === scaled(whole.amount) && movements.every(({ currency }) => currency === whole.currency)) return movements;
  const fault = `its ${parts.length} transactions do not add up to ${whole.amount} ${whole.currency}`;
  return [{ ...whole, fault }];
}

function withDetails(movement: BankMovement, part: Xml): BankMovement {
  const debtor = child(part, 'RltdPties', 'Dbtr');
  const remittance = child(part, 'RmtInf');
  const structured = list(remittance, 'Strd');
  const references = structured.flatMap((each) => [
    value(each, 'CdtrRefInf', 'Ref'),
    ...list(each, 'RfrdDocInf').map((document) => value(document, 'Nb')),
  ]);
  const texts = [
    ...list(remittance, 'Ustrd').map((text) => value(text)),
    ...structured.flatMap((each) => list(each, 'AddtlRmtInf').map((text) => value(text))),
    value(part, 'Refs', 'EndToEndId'),
  ];
  return {
    ...movement,
    isReversal: movement.isReversal || child(part, 'RtrInf') !== undefined,
    debtorName: value(debtor, 'Nm') || value(debtor, 'Pty', 'Nm'),
    debtorAccount: accountOf(child(part, 'RltdPties', 'DbtrAcct')),
    references: references.filter((text) => text !== ''),
    remittance: [...texts.filter((text) => text !== '' && text !== NOT_PROVIDED), ...movement.remittance],
  };
}

function accountOf(account: Xml): string {
  return plainAccount(value(account, 'Id', 'IBAN') || value(account, 'Id', 'Othr', 'Id'));
}

/** Returns an account's number as it is compared: no spaces, capital letters. */
export function plainAccount(number: string): string {
  return number.replaceAll(/\s/g, '').toUpperCase();
}

/** Returns the day of `Dt` or `DtTm`. */
function dayOf(date: Xml): string {
  return (value(date, 'Dt') || value(date, 'DtTm')).slice(0, 10);
}

/** Returns an amount in units of 10^-18, so that amounts are compared as numbers; 0 for a text that is no amount. */
function scaled(amount: string): bigint {
  const [, units, decimals = ''] = /^(\d{1,18})(?:\.(\d{0,18}))?$/.exec(amount) ?? ['', '0'];
  return BigInt(units + decimals.padEnd(18, '0'));
}

function lineOf(entry: Xml, text: string): number {
  if (typeof entry !== 'object') return 1;
  const { startIndex = 0 } = (Reflect.get(entry, METADATA) ?? {}) as { startIndex?: number };
  return text.slice(0, startIndex).split('\n').length;
}

function child(node: Xml, ...path: readonly string[]): Xml {
  return path.reduce<Xml>((at, name) => (typeof at === 'object' ? (at[name] as Xml) : undefined), node);
}

function list(node: Xml, name: string): Xml[] {
  const items = child(node, name);
  return Array.isArray(items) ? items : [];
}

/** Returns the text of an element or attribute in one line; empty when it is absent. */
function value(node: Xml, ...path: readonly string[]): string {
  const found = child(node, ...path);
  const text = typeof found === 'object' ? found['#text'] : found;
  return typeof text === 'string' ? text.replaceAll(/[\s\p{Cc}\p{Cs}]+/gu, ' ').trim() : '';
}
