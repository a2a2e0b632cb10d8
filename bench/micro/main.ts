import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { run } from 'mitata';
import { packagePath } from '../../src/platform/package-paths.ts';
import { type Measured, register } from './benchmark.ts';
import { prefixesGroup, sponsorsGroup } from './classify.ts';
import { decodeGroup } from './decode.ts';
import { encodeGroups } from './encode.ts';
import { insertGroup } from './insert.ts';
import { insertJournalGroup } from './insert-journal.ts';
import { pseudonymGroup } from './pseudonym.ts';
import { rateGroup } from './rate.ts';
import { compare, markdown } from './report.ts';

interface Options {
  records: number;
  rows: number;
  seed: number;
  only: string;
  out: string;
}

const program = new Command('bench:micro')
  .description('Measures the steps of a batch one by one: nanoseconds for a record')
  .option('--records <n>', 'records of a batch', wholeNumber, 10_000)
  .option('--rows <n>', 'rows of an insert', wholeNumber, 100_000)
  .option('--seed <n>', 'draws the data', wholeNumber, 1)
  .option('--only <text>', 'groups whose name has this in it; no results are written then', '')
  .option('--out <folder>', 'where the results go', packagePath('bench/results'));

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('expected a whole number from 1 to 999999999');
  return Number(text);
}

async function main({ records, rows, seed, only, out }: Options): Promise<void> {
  const groups = [
    decodeGroup(records, seed),
    pseudonymGroup(records, seed),
    prefixesGroup(records, seed),
    sponsorsGroup(records, seed),
    rateGroup(records, seed),
    ...encodeGroups(records, seed),
    insertGroup(rows, seed),
    insertJournalGroup(rows, seed),
  ].filter(({ name }) => name.includes(only));
  if (groups.length === 0) program.error(`error: no group has "${only}" in its name`, { exitCode: 2 });
  const results: Measured[] = [];
  const observe = register(groups, (measured) => results.push(measured));
  process.stdout.write(
    `batches of ${records} records, inserts of ${rows} rows, seed ${seed}; an iter is one record\n\n`,
  );
  await run({ observe, throw: true });

  if (only !== '') return;

  const machine = {
    cpu: cpus()[0].model,
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
  };
  const compared = compare(results);
  await mkdir(out, { recursive: true });
  await writeFile(
    join(out, 'micro.json'),
    `${JSON.stringify({ machine, records, rows, seed, results: compared }, null, 2)}\n`,
  );
  await writeFile(join(out, 'micro.md'), markdown(compared, machine, seed));
}

await main(program.parse().opts<Options>());
