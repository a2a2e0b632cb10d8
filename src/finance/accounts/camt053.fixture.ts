/** A transaction of an entry: the payment details of an entry with one transaction. */
interface Transaction {
  reference?: string;
  amount?: string;
  debtor?: string;
  iban?: string;
  text?: string;
  document?: string;
}

export interface Entry extends Transaction {
  currency?: string;
  direction?: 'CRDT' | 'DBIT';
  status?: string;
  isReversal?: boolean;
  entryReference?: string;
  day?: string;
  batch?: readonly Transaction[];
}

const element = (name: string, text: string | undefined) => (text === undefined ? '' : `<${name}>${text}</${name}>`);

/** Returns a bank statement camt.053 of one account, in a version of the message and with any prefix of its names. */
export function camt053(
  entries: readonly Entry[],
  { version = '08', statementId = 'S-1', iban = 'DE89370400440532013000', prefix = '' } = {},
): string {
  const isOld = Number(version) < 7;
  const xml = `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.${version}"><BkToCstmrStmt>
<GrpHdr><MsgId>M-1</MsgId><CreDtTm>2026-11-03T06:00:00+01:00</CreDtTm></GrpHdr>
<Stmt><Id>${statementId}</Id><Acct><Id><IBAN>${iban}</IBAN></Id></Acct>
${entries.map((entry) => entryXml(entry, isOld)).join('\n')}
</Stmt></BkToCstmrStmt></Document>`;
  if (prefix === '') return xml;
  return xml.replaceAll(/<(\/?)(\w)/g, `<$1${prefix}:$2`).replace(' xmlns=', ` xmlns:${prefix}=`);
}

function entryXml(entry: Entry, isOld: boolean): string {
  const { reference, amount = '100.00', currency = 'USD', direction = 'CRDT', status = 'BOOK' } = entry;
  const { isReversal, entryReference, day = '2026-11-02', batch } = entry;
  const parts = (batch ?? [{ ...entry, reference: undefined, amount: undefined }]).map((part) =>
    transactionXml(part as Transaction, currency, isOld),
  );
  return `<Ntry>${element('NtryRef', entryReference)}<Amt Ccy="${currency}">${amount}</Amt><CdtDbtInd>${direction}</CdtDbtInd>${
    isReversal === true ? '<RvslInd>true</RvslInd>' : ''
  }<Sts>${isOld ? status : `<Cd>${status}</Cd>`}</Sts><BookgDt><Dt>${day}</Dt></BookgDt>${element('AcctSvcrRef', reference)}<NtryDtls>${parts.join('')}</NtryDtls></Ntry>`;
}

function transactionXml(part: Transaction, currency: string, isOld: boolean): string {
  const { reference, amount, debtor, iban, text, document } = part;
  const money = amount === undefined ? '' : `<Amt Ccy="${currency}">${amount}</Amt>`;
  const amounts = isOld && money !== '' ? `<AmtDtls><TxAmt>${money}</TxAmt></AmtDtls>` : money;
  const name = element('Nm', debtor);
  const account = iban === undefined ? '' : `<DbtrAcct><Id><IBAN>${iban}</IBAN></Id></DbtrAcct>`;
  const structured = document === undefined ? '' : `<Strd><RfrdDocInf><Nb>${document}</Nb></RfrdDocInf></Strd>`;
  return (
    `<TxDtls><Refs>${element('AcctSvcrRef', reference)}<EndToEndId>NOTPROVIDED</EndToEndId></Refs>${amounts}` +
    `<RltdPties><Dbtr>${isOld ? name : `<Pty>${name}</Pty>`}</Dbtr>${account}</RltdPties>` +
    `<RmtInf>${element('Ustrd', text)}${structured}</RmtInf></TxDtls>`
  );
}
