import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { builtModule } from '../servers/built.ts';
import { nodeBinary } from '../servers/node-binaries.ts';
import { Zerorate } from './zerorate.fixture.ts';

/** Of each supported line one: their ICU differs in the decimals of currencies. */
const VERSIONS = ['20.19.0', '22.12.0', '24.22.3'];
const CURRENCIES = ['IDR', 'CLF'];
const FORMATS = ['html', 'json', 'csv', 'parquet', 'xlsx', 'ubl', 'focus'];
const MONTH = '2026-03';
/** Some twenty seconds on a machine at rest; the first time Node.js is downloaded. */
const LIMIT_MS = 600_000;
const CATALOGUE = `
invoicing:
  seller: { legalName: Carrier, taxId: DE123456789, address: { street: Main St. 1, city: Berlin, country: DE } }
  numbers: "ZR-{number:6}"
  termsDays: 30
sponsors:
${CURRENCIES.map(
  (currency) => `  - id: ${currency.toLowerCase()}
    name: "${currency} & sons"
    currency: ${currency}
    creditLimit: "1000000"
    buyer:
      legalName: ${currency} Ltd.
      address: { street: High St. 2, city: Hamburg, country: DE }
      tax: { category: S, rate: "8.875" }`,
).join('\n')}
applications:
${CURRENCIES.map((currency) => `  - { id: app-${currency.toLowerCase()}, sponsor: ${currency.toLowerCase()}, tags: [${currency}] }`).join('\n')}
plans:
${CURRENCIES.map(
  (currency) => `  - id: plan-${currency.toLowerCase()}
    application: app-${currency.toLowerCase()}
    version: 1
    effectiveFrom: 2020-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: Asia/Jakarta
    content: { text: 10000, voice: 10000, image: 3333, video: 5000, other: 10000, unknown: 10000 }
    quotaOctets: null
    tiers: [{ upToOctets: null, pricePerMiB: "1.234567" }]`,
).join('\n')}
`;

let zerorate: Zerorate;
beforeAll(async () => {
  zerorate = await Zerorate.build();
  writeFileSync(zerorate.path('catalogue.yaml'), CATALOGUE);
  const catalogue = ['--catalogue', 'catalogue.yaml'];
  const span = [
    '--from',
    `${MONTH}-01T00:00:00Z`,
    '--to',
    `${MONTH}-31T00:00:00Z`,
    '--late',
    '0',
    '--ip-matched',
    '0',
    '--tagged',
    '1',
    '--unmatched',
    '0',
  ];
  await done(['generate', ...catalogue, '--out', 'march.ndjson', '--records', '500', '--seed', '17', ...span]);
  await done(['run', ...catalogue, '--source', 'march.ndjson', '--store', 'store']);
  for (const currency of CURRENCIES) {
    const sponsor = ['--sponsor', currency.toLowerCase(), '--store', 'store'];
    await done(['close', '--month', MONTH, '--who', 'Ada', ...sponsor]);
  }
}, LIMIT_MS);
afterAll(() => zerorate?.remove());

async function done(args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await zerorate.run(args);
  expect(code, stdout + stderr).toBe(0);
}

/** Exports every statement in every format in one process of that Node.js; the hashes of the files by name. */
async function exportUnder(version: string): Promise<Record<string, string>> {
  const folder = zerorate.path(version);
  await mkdir(folder);
  await cp(zerorate.path('store'), `${folder}/store`, { recursive: true });
  const runs = CURRENCIES.flatMap((currency) =>
    FORMATS.map((format) => {
      const rows = format === 'json' ? ['--rows', `${currency}-rows.csv`] : [];
      const out = ['--format', format, '--out', `${currency}.${format}`, ...rows];
      return ['statement', '--sponsor', currency.toLowerCase(), '--month', MONTH, ...out, '--store', 'store'];
    }),
  );
  const program = pathToFileURL(await builtModule('cli/load-program.js')).href;
  const script =
    `const { loadProgram } = await import(${JSON.stringify(program)});` +
    `for (const args of ${JSON.stringify(runs)}) await (await loadProgram('statement')).parseAsync(args, { from: 'user' });` +
    'console.log(process.version); process.exit();';
  const node = await nodeBinary(version);
  const { stdout } = await promisify(execFile)(node, ['--input-type=module', '-e', script], { cwd: folder });
  expect(stdout.trim()).toBe(`v${version}`);
  const files = readdirSync(folder).filter((name) => name !== 'store');
  return Object.fromEntries(
    files.sort().map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(`${folder}/${name}`))
        .digest('hex'),
    ]),
  );
}

test(
  'a closed month is the same octets under every supported Node.js, in every format',
  async () => {
    const exports: Record<string, string>[] = [];
    for (const version of VERSIONS) exports.push(await exportUnder(version));
    expect(Object.keys(exports[0])).toHaveLength(CURRENCIES.length * (FORMATS.length + 1));
    for (const [at, version] of VERSIONS.entries())
      expect({ version, ...exports[at] }).toEqual({ version, ...exports[0] });

    const totalOf = (currency: string) =>
      JSON.parse(readFileSync(zerorate.path(`20.19.0/${currency}.json`), 'utf8')).totals.total;
    expect(CURRENCIES.map((currency) => totalOf(currency).split('.')[1].length)).toEqual([2, 4]);
  },
  LIMIT_MS,
);
