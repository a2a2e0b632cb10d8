import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { migrate } from '../../src/journal/migrate.ts';
import { openEmbeddedStore } from '../../src/platform/clickhouse/embedded-store.ts';
import type { Store } from '../../src/platform/clickhouse/store.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { spread } from '../spread.ts';
import { fillJournal } from './fill-journal.ts';
import { QUESTIONS, type Question } from './questions.ts';
import { type Answered, markdown } from './report.ts';

interface Options {
  rows: string;
  subscribers: string;
  rounds: string;
  store?: string;
  out: string;
}

const print = (text: string) => process.stdout.write(`${text}\n`);

const program = new Command('bench:finance')
  .description(
    'Fills a journal with a year of charges and times what finance asks of it, with and without the projection',
  )
  .option('--rows <n>', 'charge rows', '100000000')
  .option('--subscribers <n>', 'subscribers that they are of', '1000000')
  .option('--rounds <n>', 'how often each question is asked', '5')
  .option('--store <directory>', 'where to make the store and keep it; without it a temporary one')
  .option('--out <folder>', 'where the results go', packagePath('bench/results'));

async function main(options: Options): Promise<void> {
  const [rows, subscribers, rounds] = [options.rows, options.subscribers, options.rounds].map(Number);
  const directory = options.store ?? (await mkdtemp(join(tmpdir(), 'zerorate-finance-')));
  const store = await openEmbeddedStore(directory, { create: true });
  try {
    const fill = await timed(() => filled(store, rows, subscribers));
    print(`${rows} charge rows in ${fill.seconds.toFixed(0)} s; ${await partsOf(store)}`);
    const answers: Answered[] = [];
    for (const question of QUESTIONS) {
      answers.push(await answered(store, question, rounds));
      print(`${question.name}: ${answers.at(-1)?.seconds.median.toFixed(3)} s`);
    }
    const machine = `${cpus().length} x ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
    const caption = `${machine}; ${rows.toLocaleString('en-US')} charge rows of a year; median of ${rounds} (least to most)`;
    const table = markdown(answers);
    print(`\n${caption}\n\n${table}`);
    await mkdir(options.out, { recursive: true });
    const result = { machine, rows, subscribers, rounds, fillSeconds: fill.seconds, answers };
    await writeFile(join(options.out, 'finance.json'), `${JSON.stringify(result, null, 2)}\n`);
    await writeFile(join(options.out, 'finance.md'), `# What finance asks\n\n${caption}.\n\n${table}\n`);
  } finally {
    await store.close();
    if (options.store === undefined) await rm(directory, { recursive: true });
  }
}

async function filled(store: Store, rows: number, subscribers: number): Promise<void> {
  await migrate(store, packagePath('schemas/clickhouse'));
  const [{ booked }] = await store.query<{ booked: number }>(
    "SELECT count() AS booked FROM journal WHERE kind = 'charge'",
  );
  // A store that was kept is asked again as it is.
  if (Number(booked) === rows) return;
  if (Number(booked) > 0) throw new Error(`the store has ${booked} charge rows, not ${rows}: name another one`);
  await fillJournal(store, { rows, from: '2026-01-01', subscribers }, (day) => {
    if (day % 73 === 0) print(`filled ${(day * 100) / 365} %`);
  });
}

/** Asked in turns with and without the projection, so that both meet the machine in the same moods. */
async function answered(store: Store, { name, sql }: Question, rounds: number): Promise<Answered> {
  const ask = (isAllowed: 0 | 1) => timed(() => store.query(`${sql} SETTINGS optimize_use_projections = ${isAllowed}`));
  const plan = await store.query<{ explain: string }>(`EXPLAIN projections = 1 ${sql}`);
  const usesTotals = plan.some(({ explain }) => explain.includes('usage_totals'));
  const [fromTotals, fromRows]: [number[], number[]] = [[], []];
  let expected = '';
  let rows = 0;
  for (let round = 0; round < rounds; round++) {
    const [totals, plain] = [await ask(1), await ask(0)];
    expected ||= JSON.stringify(plain.result);
    if (JSON.stringify(totals.result) !== expected) throw new Error(`${name}: projection and rows differ`);
    rows = totals.result.length;
    fromTotals.push(totals.seconds);
    fromRows.push(plain.seconds);
  }
  return { name, usesTotals, rows, seconds: spread(fromTotals), secondsFromRows: spread(fromRows) };
}

async function partsOf(store: Store): Promise<string> {
  const [{ parts, octets, totals }] = await store.query<Record<'parts' | 'octets' | 'totals', number>>(
    'SELECT count() AS parts, sum(bytes_on_disk) AS octets, ' +
      "(SELECT sum(rows) FROM system.projection_parts WHERE active AND table = 'journal' AND database = currentDatabase()) AS totals " +
      "FROM system.parts WHERE active AND table = 'journal' AND database = currentDatabase()",
  );
  return `${parts} parts, ${(Number(octets) / 2 ** 30).toFixed(2)} GiB, ${totals} rows of the projection`;
}

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; seconds: number }> {
  const startedMs = performance.now();
  const result = await work();
  return { result, seconds: (performance.now() - startedMs) / 1000 };
}

await main(program.parse().opts<Options>());
