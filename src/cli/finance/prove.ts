import { type Command, InvalidArgumentError } from 'commander';
import { proveRecord } from '../../finance/statements/record-proof.ts';
import { readRowsFile } from '../../finance/statements/rows-file.ts';
import { statementSchema } from '../../finance/statements/statement-document.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { readJsonFile, shapeJson } from '../read-json.ts';
import { writeOutput } from '../write-output.ts';

interface ProveOptions {
  statement: string;
  topic: string;
  partition: number;
  offset: number;
  out?: string;
}

export function registerProve(program: Command): void {
  program
    .command('prove')
    .argument('<rows>', 'the rows that the statement covers, as `statement --rows` writes them')
    .description('extract the proof that one record is in a bill; `verify` checks it with the statement or its root')
    .requiredOption('--statement <file>', 'the statement as JSON')
    .requiredOption('--topic <topic>', 'the record’s topic, as the rows file has it')
    .option('--partition <number>', 'its partition', wholeNumber, 0)
    .requiredOption('--offset <number>', 'its offset in the partition', wholeNumber)
    .option('--out <file>', 'the file to write; without it standard output')
    .addHelpText(
      'after',
      `
Example:
  $ zerorate prove rows.csv --statement statement.json --topic flows --partition 0 --offset 17 --out proof.json
  $ zerorate verify proof.json --statement statement.json`,
    )
    .action(prove);
}

async function prove(rows: string, { statement: file, topic, partition, offset, out }: ProveOptions): Promise<void> {
  const statement = shapeJson(readJsonFile(file).text, file, statementSchema);
  const proof = await proveRecord(statement, readRowsFile(rows), { topic, partition, offset });
  if (proof === 'record_missing') {
    throw new ConfigError(`${rows}: has no row of ${topic}, partition ${partition}, offset ${offset}`);
  }
  if (proof === 'rows_differ') {
    process.stdout.write(
      `BROKEN  ${rows}: does not make the Merkle root of ${file}; \`zerorate verify\` says what differs\n`,
    );
    process.exitCode = 1;
    return;
  }
  await writeOutput(out, `${JSON.stringify(proof, null, 2)}\n`);
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return Number(text);
}
