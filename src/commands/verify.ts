import type { Command } from 'commander';
import { PROOF_FORMAT, recordProofSchema, verifyRecordProof } from '../finance/record-proof.ts';
import { readRowsFile } from '../finance/rows-file.ts';
import { statementSchema } from '../finance/statement-document.ts';
import { verifyStatement } from '../finance/verify-statement.ts';
import { ConfigError } from '../platform/config-error.ts';
import { grouped } from '../platform/print-table.ts';
import { readJsonText, shapeJson } from './read-json.ts';

const SHOWN_FAULTS = 20;

export function registerVerify(program: Command): void {
  program
    .command('verify')
    .argument('<file>', 'a statement as JSON, or a proof that `prove` cut out')
    .argument('[rows]', 'the rows that the statement covers, as `statement --rows` writes them')
    .description(
      'check a statement against its rows, or one record’s proof, with nothing else; exits with 1 when it does not hold',
    )
    .option('--root <hex>', 'compare with this Merkle root, as a printed statement has it')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate verify statement.json rows.csv
  $ zerorate verify proof.json --root $(jq -r .proof.merkleRoot statement.json)`,
    )
    .action(verify);
}

async function verify(file: string, rows: string | undefined, options: { root?: string }): Promise<void> {
  const text = readJsonText(file);
  const document = JSON.parse(text) as { format?: unknown } | null;
  const isProof = document?.format === PROOF_FORMAT;
  const checked = isProof ? checkProof(text, file, rows) : await checkStatement(text, file, rows);
  const faults = [...checked.faults, ...rootFaults(checked.root, options.root)];
  for (const fault of faults.slice(0, SHOWN_FAULTS)) process.stdout.write(`BROKEN  ${file}: ${fault}\n`);
  if (faults.length > SHOWN_FAULTS) process.stdout.write(`… and ${grouped(faults.length - SHOWN_FAULTS)} more\n`);
  if (faults.length > 0) process.exitCode = 1;
  else process.stdout.write(`holds   ${file}: ${checked.said}\n`);
}

interface Checked {
  faults: string[];
  root: string;
  said: string;
}

async function checkStatement(text: string, file: string, rows: string | undefined): Promise<Checked> {
  const statement = shapeJson(text, file, statementSchema);
  if (rows === undefined)
    throw new ConfigError(`${file}: which rows? \`zerorate statement --rows FILE.csv\` writes them`);
  const { sponsor, month, totals, proof } = statement;
  return {
    faults: await verifyStatement(statement, readRowsFile(rows)),
    root: proof.merkleRoot,
    said: `${sponsor.id}, ${month}: ${grouped(proof.leaves)} rows make ${totals.total} ${sponsor.currency}, Merkle root ${proof.merkleRoot}`,
  };
}

function checkProof(text: string, file: string, rows: string | undefined): Checked {
  const proof = shapeJson(text, file, recordProofSchema);
  if (rows !== undefined) throw new ConfigError(`${file}: a proof is checked by itself; leave ${rows} out`);
  const [{ row }] = proof.rows;
  return {
    faults: verifyRecordProof(proof),
    root: proof.merkleRoot,
    said: `record ${row.offset} of ${row.topic}-${row.partition} is in the bill of ${proof.sponsorId}, ${proof.month}, with Merkle root ${proof.merkleRoot}`,
  };
}

function rootFaults(root: string, expected: string | undefined): string[] {
  if (expected === undefined) return [];
  if (!/^[0-9a-f]{64}$/i.test(expected)) throw new ConfigError(`--root ${expected}: expected 64 hex digits`);
  return expected.toLowerCase() === root ? [] : [`Merkle root: it names ${root}, and not ${expected.toLowerCase()}`];
}
