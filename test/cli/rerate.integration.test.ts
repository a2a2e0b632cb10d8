import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { Zerorate } from './zerorate.fixture.ts';

const CATALOGUE = packagePath('fixtures/demo/catalogue.yaml');
const STORE = ['--store', 'store'];
const OCTOBER = ['--from', '2026-10-01', '--to', '2026-11-01'];
let zerorate: Zerorate;

beforeAll(async () => {
  zerorate = await Zerorate.build();
  await zerorate.run(['generate', '--out', 'flows.avro', '--records', '20000', '--subscribers', '300', '--seed', '5']);
  await zerorate.run(['run', '--catalogue', CATALOGUE, '--source', 'flows.avro', ...STORE]);
  await catalogueWith('new.yaml', ['"0.0020"', '"0.0019"'], ['pricePerMiB: "0.40"', 'pricePerMiB: "0.41"']);
});
afterAll(() => zerorate?.remove());

async function catalogueWith(name: string, ...changes: readonly [from: string, to: string][]): Promise<void> {
  const text = changes.reduce(
    (changed, [from, to]) => {
      expect(changed).toContain(from);
      return changed.replaceAll(from, to);
    },
    readFileSync(CATALOGUE, 'utf8'),
  );
  await writeFile(zerorate.path(name), text);
}

const rerate = (...args: string[]) =>
  zerorate.run(['rerate', '--sponsor', 'chatter', ...OCTOBER, '--catalogue', 'new.yaml', ...STORE, ...args]);
const simulate = (...args: string[]) =>
  zerorate.run(['simulate', ...OCTOBER, '--catalogue', 'new.yaml', ...STORE, ...args]);
const charged = async () =>
  (
    await zerorate.rows<{ micros: number }>(
      "SELECT charged_micros AS micros FROM account_balances WHERE sponsor_id = 'chatter'",
      'store',
    )
  )[0].micros;

interface Sums {
  chargeMicros: string;
}
type Shown = { lines: Line[]; totals: Line[] };
type Line = { sponsor: string; difference: Sums };

test('what the dry run shows is what simulate shows, and what is booked', async () => {
  const dry = await rerate();
  expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing was booked') });
  expect(dry.stdout).toMatch(/^plan +version +month/);

  const shown: Shown = JSON.parse((await rerate('--format', 'json')).stdout);
  const simulated: Shown = JSON.parse((await simulate('--format', 'json')).stdout);
  expect(simulated.totals.map(({ sponsor }) => sponsor)).toEqual(['chatter', 'lumen', 'parley', 'pigeon']);
  expect(simulated.totals[0]).toEqual(shown.totals[0]);
  expect(simulated.lines.filter(({ sponsor }) => sponsor === 'chatter').length).toBeGreaterThan(shown.lines.length);

  const csv = (await simulate('--sponsor', 'chatter', '--format', 'csv')).stdout.trim().split('\n');
  const place = csv[0].split(',').indexOf('difference.chargeMicros');
  const sum = csv.slice(1).reduce((micros, line) => micros + BigInt(line.split(',')[place]), 0n);
  const { difference } = shown.totals[0];
  expect(String(sum)).toBe(difference.chargeMicros);
  expect(Number(difference.chargeMicros)).toBeLessThan(0);

  const before = await charged();
  const book = ['--book', '--name', 'october', '--who', 'ada', '--why', 'a lower price'];
  expect(await rerate(...book)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('booked as correction 1, october'),
  });
  expect(await charged()).toBe(before + Number(difference.chargeMicros));

  expect(await rerate(...book)).toMatchObject({ code: 0, stdout: expect.stringContaining('has the same content') });
  expect(await rerate()).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/no charge changes: [\d ]+ records rated again/),
  });
});

test.each<[string, string[], [string, string][], RegExp]>([
  ['an unknown sponsor', ['--sponsor', 'chater'], [], /^the catalogue has no sponsor chater; it has chatter, /],
  [
    'a range that ends before it begins',
    ['--to', '2026-09-01'],
    [],
    /^--from 2026-10-01 is not before --to 2026-09-01$/m,
  ],
  ['a day that is none', ['--to', '2026-02-30'], [], /Expected a day/],
  [
    'a part of a month',
    ['--from', '2026-10-02'],
    [['period: week', 'period: month']],
    /is only a part of the period of plan chatter-calls-weekly/,
  ],
  ['a catalogue that is wrong', [], [['currency: USD', 'currency: USB']], /^bad\.yaml:\d+:.*ISO 4217/],
  [
    'another currency',
    [],
    [['currency: USD', 'currency: EUR']],
    /^sponsor chatter has EUR in the catalogue, and its account is in USD/,
  ],
  ['a catalogue that is not there', ['--catalogue', 'nowhere.yaml'], [], /^nowhere\.yaml: no such catalogue/],
  ['a store that is not there', ['--store', 'nowhere'], [], /no store is there/],
  ['a correction without a name', ['--name', ''], [], /^--book needs --name/],
  [
    'a name that another has',
    ['--name', 'october'],
    [],
    /^correction 1 is also named "october", but differs in catalogue, who, why: /,
  ],
])('%s is refused with code 2', async (_, args, changes, message) => {
  await catalogueWith('bad.yaml', ...changes);
  const given = ['--catalogue', 'bad.yaml', '--book', '--name', 'bad', '--who', 'eve', '--why', 'none', ...args];
  const { code, stderr } = await rerate(...given);
  expect(stderr).toMatch(message);
  expect(code).toBe(2);
});

test('a draft that gives an application to another sponsor takes its charges there', async () => {
  await catalogueWith('draft.yaml', ['{ id: pigeon, name', '{ id: dove, name'], ['sponsor: pigeon', 'sponsor: dove']);
  const { code, stdout } = await simulate('--catalogue', 'draft.yaml', '--format', 'json');
  expect(code).toBe(0);
  const { totals }: Shown = JSON.parse(stdout);
  expect(totals.map(({ sponsor }) => sponsor)).toEqual(['chatter', 'lumen', 'parley', 'dove', 'pigeon'].sort());
  const of = (sponsor: string) => BigInt(totals.find((line) => line.sponsor === sponsor)?.difference.chargeMicros ?? 0);
  expect(of('pigeon')).toBeLessThan(0n);
  expect(of('dove')).toBeGreaterThan(0n);
});

test('of what was refused nothing is booked', async () => {
  const [{ heads, names }] = await zerorate.rows<{ heads: number; names: string[] }>(
    "SELECT countIf(kind = 'head') AS heads, groupUniqArray(correction) AS names FROM corrections WHERE correction != ''",
    'store',
  );
  expect({ heads, names }).toEqual({ heads: 1, names: ['october'] });
});

test('catalogue diff names what changes for whom, and the money that simulate shows', async () => {
  const diff = (...args: string[]) => zerorate.run(['catalogue', 'diff', CATALOGUE, 'new.yaml', ...args]);
  const shown = await diff();
  expect(shown).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^chatter +plan chatter-all version 1 +tiers/m),
  });
  expect(shown.stdout).toMatch(/^2 changes for 2 sponsors$/m);
  const { changes, money } = JSON.parse((await diff(...OCTOBER, ...STORE, '--format', 'json')).stdout);
  expect(changes).toHaveLength(2);
  const simulated: Shown = JSON.parse((await simulate('--format', 'json')).stdout);
  expect(money.totals).toEqual(simulated.totals);
  expect((await diff(...OCTOBER, ...STORE)).stdout).toContain('Evidence stays as booked');
  expect(await diff('--from', '2026-10-01')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('needs a store'),
  });
  expect((await zerorate.run(['catalogue', 'diff', 'new.yaml', 'new.yaml'])).stdout).toBe(
    'the catalogues do not differ\n',
  );
});

test('monthly terms of a draft are named by simulate and by catalogue diff, and close posts those of --catalogue', async () => {
  const terms = `monthlyTerms:
  - { id: chatter-2026, version: 2, sponsor: chatter, effectiveFrom: 2026-09-01, effectiveTo: null, flatFee: "250.00" }
`;
  await writeFile(zerorate.path('terms.yaml'), `${readFileSync(zerorate.path('new.yaml'), 'utf8')}\n${terms}`);
  const withTerms = (...args: string[]) => simulate('--catalogue', 'terms.yaml', ...args);
  const named =
    'monthly terms are not included, as fees, shortfalls and rebates are of whole months: chatter-2026 version 2\n';
  const { stderr, stdout, code } = await withTerms('--format', 'json');
  expect({ stderr, code }).toEqual({ stderr: expect.stringContaining(named), code: 0 });
  expect(JSON.parse(stdout).termsNotIncluded).toEqual(['chatter-2026 version 2']);
  expect((await withTerms('--sponsor', 'lumen')).stderr).not.toContain('monthly terms');
  const diff = await zerorate.run(['catalogue', 'diff', 'new.yaml', 'terms.yaml']);
  expect(diff.stdout).toMatch(/^chatter +monthly terms chatter-2026 version 2 +\(added\) +added$/m);

  const close = (month: string) =>
    zerorate.run([
      'close',
      '--sponsor',
      'chatter',
      '--month',
      month,
      '--who',
      'Ada',
      '--catalogue',
      'terms.yaml',
      ...STORE,
    ]);
  const [{ first }] = await zerorate.rows<{ first: string }>(
    "SELECT substring(toString(min(month)), 1, 7) AS first FROM bookings WHERE sponsor_id = 'chatter'",
    'store',
  );
  if (first !== '2026-09') expect((await close(first)).stderr).toContain('2026-09 of chatter is open');
  const closed = await close('2026-09');
  expect(closed.stdout).toContain(', flat fee 250.00 USD (chatter-2026 version 2), tax ');
  expect(
    (await zerorate.run(['account', 'show', '--sponsor', 'chatter', '--catalogue', 'terms.yaml', ...STORE])).stdout,
  ).toMatch(/flat-fee +-250\.00/);
  expect((await zerorate.run(['audit', ...STORE])).code).toBe(0);
});
