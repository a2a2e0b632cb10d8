import type { Command } from 'commander';
import { PROOF_FORMAT, recordProofSchema, verifyRecordProof } from '../../finance/statements/record-proof.ts';
import { readRowsFile } from '../../finance/statements/rows-file.ts';
import { FIELD_RULES, type UnprovenField } from '../../finance/statements/statement-fields.ts';
import { verifyStatement } from '../../finance/statements/verify-statement.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { counted } from '../../platform/telemetry/terminal-output.ts';
import { readJsonFile, shapeJson } from '../read-json.ts';
import { hasSignature, readSignedStatement, type SignatureOptions, type SignedStatement } from './read-signed.ts';
import { printVerified, type Verified } from './verify-report.ts';

interface VerifyOptions extends SignatureOptions {
  root?: string;
  statement?: string;
  previous?: string;
  format: string;
}

export function registerVerify(program: Command): void {
  program
    .command('verify')
    .argument('<file>', 'a statement as JSON, or a proof that `prove` extracted')
    .argument('[rows]', 'the rows that the statement covers, as `statement --rows` writes them')
    .description(
      'recompute a statement from its rows, or check one record’s proof, without a store, and list what that does not prove',
    )
    .option('--statement <file>', 'of a proof: the statement that it is of')
    .option('--root <hex>', 'compare with this Merkle root, as a printed statement has it')
    .option('--keys <file>', 'the operator’s public key set: the statement must be signed by a key of it')
    .option('--signature <file>', 'the statement’s signature; by default the statement’s name and .jws')
    .option('--previous <file>', 'the statement of the month before, whose closing balance this one opens with')
    .option('--format <format>', 'text or json', 'text')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate verify statement.json rows.csv --keys operator-keys.json
  $ zerorate verify statement.json rows.csv --previous september.json
  $ zerorate verify proof.json --statement statement.json --keys operator-keys.json
  $ zerorate verify proof.json --root 9f2c... (64 hex digits, from the printed statement)

Exit code 0: everything that can be recomputed agrees with the file, and with --keys the signature is valid. What has to be trusted
is listed as "only signed" or "not proven". 1: a check fails. 2: a file cannot be read, or something is missing.`,
    )
    .action(verify);
}

async function verify(file: string, rows: string | undefined, options: VerifyOptions): Promise<void> {
  const { root, format } = options;
  if (format !== 'text' && format !== 'json') throw new ConfigError(`--format ${format}: expected text or json`);
  if (root !== undefined && !/^[0-9a-f]{64}$/i.test(root))
    throw new ConfigError(`--root ${root}: expected 64 hex digits`);
  if (options.signature !== undefined && options.keys === undefined) {
    throw new ConfigError('--signature: needs the operator’s public key set; name it with --keys FILE');
  }
  const { format: kind } = JSON.parse(readJsonFile(file).text) as { format?: unknown };
  const verified =
    kind === PROOF_FORMAT ? await checkProof(file, rows, options) : await checkStatement(file, rows, options);
  printVerified(verified, format);
  if (verified.faults.length > 0) process.exitCode = 1;
}

async function checkStatement(path: string, rows: string | undefined, options: VerifyOptions): Promise<Verified> {
  if (options.statement !== undefined) throw new ConfigError(`${path}: is a statement; --statement is for a proof`);
  if (rows === undefined && options.keys === undefined) {
    throw new ConfigError(`${path}: which rows? \`zerorate statement --rows FILE.csv\` writes them`);
  }
  const signed = await readSignedStatement(path, options);
  const previous =
    options.previous === undefined ? null : await readSignedStatement(options.previous, { keys: options.keys });
  const notes = statementNotes(signed);
  const { faults, unproven } = await verifyStatement(signed.statement, {
    rows:
      rows === undefined
        ? null
        : readRowsFile(rows, (how) => notes.push(`${rows}: was re-saved (${how}); its rows are compared`)),
    previous: previous?.statement ?? null,
  });
  const { sponsor, month, totals, proof } = signed.statement;
  const total = `${totals.total} ${sponsor.currency}`;
  return {
    file: path,
    faults: [
      ...signatureFaults(signed),
      ...(previous === null ? [] : signatureFaults(previous).map((fault) => `${previous.path}: ${fault}`)),
      ...faults,
      ...rootFaults(proof.merkleRoot, options.root),
    ],
    said: `${sponsor.id}, ${month}: ${counted(proof.leaves, 'row')} make ${total}, Merkle root ${proof.merkleRoot}`,
    keyId: signed.verdict?.keyId ?? null,
    recomputed: recomputedBut(unproven),
    unproven,
    beyond: [...issuerUnproven(signed), RATED],
    notes,
  };
}

async function checkProof(path: string, rows: string | undefined, options: VerifyOptions): Promise<Verified> {
  if (rows !== undefined) throw new ConfigError(`${path}: a proof is checked without its rows; leave ${rows} out`);
  if (options.previous !== undefined) throw new ConfigError(`${path}: is a proof; --previous is for a statement`);
  if (options.statement === undefined && (options.root === undefined || options.keys !== undefined))
    throw new ConfigError(proofAlone(path, options));
  const file = readJsonFile(path);
  const proof = shapeJson(file.text, path, recordProofSchema);
  const signed = options.statement === undefined ? null : await readSignedStatement(options.statement, options);
  const inStatement = signed === null ? null : await verifyStatement(signed.statement, { rows: null, previous: null });
  const [{ row }] = proof.rows;
  const unsigned =
    signed === null
      ? [{ field: 'month, leaves, rows[].index', why: 'the root alone does not name them; name --statement' }]
      : [];
  return {
    file: path,
    faults: [
      ...verifyRecordProof(proof, signed?.statement ?? null),
      ...(signed === null
        ? []
        : [...signatureFaults(signed), ...(inStatement?.faults ?? [])].map((fault) => `${signed.path}: ${fault}`)),
      ...rootFaults(proof.merkleRoot, options.root),
    ],
    said: `record ${row.offset} of ${row.topic}-${row.partition} is in the bill of ${proof.sponsorId}, ${proof.month}, with Merkle root ${proof.merkleRoot}`,
    keyId: signed?.verdict?.keyId ?? null,
    recomputed: [
      'merkleRoot',
      'rows[].row',
      'sponsorId',
      ...(signed === null ? [] : ['month', 'leaves', 'rows[].index']),
    ],
    unproven: [],
    beyond: [...unsigned, ...issuerUnproven(signed), OTHER_ROWS, RATED],
    notes: [
      ...file.resaved.map((how) => `${path}: was re-saved (${how}); its values are compared`),
      ...(signed === null ? [] : statementNotes(signed)),
    ],
  };
}

/** What a proof needs, as it names the root that it leads to itself. */
function proofAlone(path: string, { keys }: VerifyOptions): string {
  const statement = 'the statement with --statement FILE';
  if (keys !== undefined)
    return `${path}: --keys is about a signed statement: name ${statement}, with its signature beside it`;
  return (
    `${path}: a proof names the Merkle root that it leads to itself, so alone it proves nothing: name ${statement} ` +
    '(and the operator’s public key set with --keys FILE), or the root of the printed statement with --root HEX'
  );
}

const RATED: UnprovenField = {
  field: 'that the rows are all that was rated, as it was rated',
  why: 'the operator’s `zerorate audit --against-source` compares them with the source',
};
const OTHER_ROWS: UnprovenField = {
  field: 'that the record has no other rows, such as of a correction',
  why: 'the rows of the statement show all of them',
};

function issuerUnproven(signed: SignedStatement | null): UnprovenField[] {
  if (signed === null) return [{ field: 'who issued the bill', why: '--root is taken as given' }];
  if (signed.verdict !== null) return [];
  const { path } = signed;
  const why = hasSignature(path) ? `${path}.jws was not checked` : `no signature is beside ${path}`;
  return [{ field: 'who issued the statement', why: `${why}; name the operator’s public key set with --keys FILE` }];
}

function recomputedBut(unproven: readonly UnprovenField[]): string[] {
  const others = new Set(unproven.map(({ field }) => field));
  return Object.keys(FIELD_RULES).filter((field) => !others.has(field));
}

function statementNotes({ path, file, statement: { isClosed, isOpeningFinal, month } }: SignedStatement): string[] {
  return [
    ...file.resaved.map((how) => `${path}: was re-saved (${how}); its values are compared`),
    ...(isClosed ? [] : [`${path}: ${month} was open when it was written, so a later statement of it may differ`]),
    ...(isOpeningFinal ? [] : [`${path}: an earlier month was open, so the opening balance may differ later`]),
  ];
}

function signatureFaults({ verdict }: SignedStatement): string[] {
  return verdict?.fault === undefined ? [] : [verdict.fault];
}

function rootFaults(root: string, expected: string | undefined): string[] {
  if (expected === undefined || expected.toLowerCase() === root) return [];
  return [`Merkle root: it names ${root}, and not ${expected.toLowerCase()}`];
}
