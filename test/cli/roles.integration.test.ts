import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drainPending, Session } from 'chdb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keepSchema, keptSchemas } from '../../src/engine/assembly/flow-decoder.ts';
import { memorySource, rawRecords, runEngine } from '../../src/engine/engine.fixture.ts';
import { chatCatalogue, chatRecord } from '../../src/engine/traffic.fixture.ts';
import { CreditWatcher } from '../../src/finance/accounts/credit-watcher.ts';
import { compareKeyHistory } from '../../src/finance/key-history.ts';
import { migrate } from '../../src/journal/migrate.ts';
import { openEmbeddedStore } from '../../src/platform/clickhouse/embedded-store.ts';
import type { Store } from '../../src/platform/clickhouse/store.ts';
import { readSuspensionFacts } from '../../src/platform/clickhouse/suspension-facts.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { bookTwoMonths } from './booked-store.fixture.ts';

const MIGRATIONS = packagePath('schemas/clickhouse');
const STATEMENTS = readFileSync(packagePath('schemas/clickhouse/roles.sql'), 'utf8')
  .replaceAll(/^--.*$/gm, '')
  .split(/;\s*$/m)
  .map((statement) => statement.trim())
  .filter((statement) => statement !== '');
const QUERIES = [
  ...readFileSync(packagePath('docs/finance/queries.md'), 'utf8').matchAll(/^```sql\n([\s\S]*?)^```$/gm),
].map(([, sql]) => sql);
/** sequence_gaps reads with the administrator's rights, whom the embedded engine does not have beside its one user. */
const OF_ITS_OWN_RIGHTS = QUERIES.filter((sql) => !/\bsequence_gaps\b/.test(sql));

let directory: string;

/** What roles.sql grants to a role, with what the roles that it has are granted. */
function grantsOf(role: string): string[] {
  return STATEMENTS.flatMap((statement) => {
    const [, what, to] = /^GRANT (.+) TO (\w+)$/s.exec(statement) ?? [];
    if (to !== role) return [];
    return /^\w+$/.test(what) ? grantsOf(what) : [`GRANT ${what.replaceAll('zerorate.', 'default.')}`];
  });
}

function policiesOf(role: string): string {
  return STATEMENTS.flatMap((statement) => {
    const [, table, filter, to] = /^CREATE ROW POLICY .+ ON zerorate\.(\w+) USING (.+) TO (.+)$/.exec(statement) ?? [];
    if (table === undefined || (to !== role && to.startsWith('ALL') && to.endsWith(role))) return [];
    return to === role || to.startsWith('ALL') ? [`<${table}><filter>${filter}</filter></${table}>`] : [];
  }).join('');
}

/**
 * The store as a user of the role has it. The embedded engine has one user, `default`, which its configuration can give
 * rights and row policies: they are those of roles.sql, enforced by ClickHouse itself.
 */
async function as<T>(role: string, store: string, work: (store: Store) => Promise<T>, more: string[] = []): Promise<T> {
  const queries = [...grantsOf(role), ...more].map((grant) => `<query>${grant}</query>`).join('');
  const users = join(directory, 'users.xml');
  await writeFile(
    users,
    `<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users><default>
      <password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
      <grants>${queries}</grants><databases><default>${policiesOf(role)}</default></databases>
    </default></users></clickhouse>`,
  );
  await writeFile(join(directory, 'config.xml'), `<clickhouse><users_config>${users}</users_config></clickhouse>`);
  const path = join(store, 'clickhouse');
  const anchor = new Session(path, { connectionArgs: [`--config-file=${join(directory, 'config.xml')}`] });
  const opened = await openEmbeddedStore(store, { create: true });
  try {
    return await work(opened);
  } finally {
    await opened.close();
    anchor.close();
    await drainPending();
  }
}

const asRole = <T>(role: string, work: (store: Store) => Promise<T>, more: string[] = []) =>
  as(role, join(directory, 'store'), work, more);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'zerorate-roles-'));
  const store = await openEmbeddedStore(join(directory, 'store'), { create: true });
  await migrate(store, MIGRATIONS);
  await bookTwoMonths(store);
  // The embedded engine's user has this name, so a sponsor has it, too.
  await store.command(
    "INSERT INTO journal SELECT * REPLACE ('default' AS sponsor_id) FROM (SELECT * FROM journal WHERE kind = 'charge' AND sponsor_id = 'lumen')",
  );
  await store.command(
    "INSERT INTO account_entries SELECT * REPLACE ('default' AS sponsor_id, number + 100 AS number) FROM (SELECT * FROM account_entries WHERE sponsor_id = 'lumen')",
  );
  await store.close();
  await drainPending();
});
afterAll(() => rm(directory, { recursive: true }));

const refused = { code: 'store_refused', message: expect.stringContaining('error 497') };

test('every statement is one that ClickHouse understands', async () => {
  const store = await openEmbeddedStore(join(directory, 'store'), { create: false });
  for (const statement of STATEMENTS) await store.query(`EXPLAIN AST ${statement}`);
  await store.close();
  expect(STATEMENTS.length).toBeGreaterThan(40);
});

describe('an analyst', () => {
  test('asks all that the cookbook asks, but for subscribers', () =>
    asRole('zerorate_analyst', async (store) => {
      for (const sql of OF_ITS_OWN_RIGHTS) {
        const asked = store.query(sql);
        if (/\bsubscriber\b/.test(sql)) await expect(asked).rejects.toMatchObject(refused);
        else expect((await asked).length).toBeGreaterThan(0);
      }
    }));

  test.each([
    'SELECT subscriber FROM charges',
    'SELECT subscriber FROM journal',
    'SELECT * FROM journal',
    'SELECT payload FROM rejections',
    'SELECT * FROM torn_subscribers',
    "SELECT * FROM mergeTreeProjection(currentDatabase(), 'journal', 'usage_totals')",
    'INSERT INTO account_entries (number) SELECT 9',
    'ALTER TABLE journal DELETE WHERE 1',
    'CREATE TABLE mine (a UInt8) ENGINE = Memory',
    "SELECT * FROM file('/etc/hostname', LineAsString)",
  ])('is refused %s', (sql) =>
    asRole('zerorate_analyst', (store) => expect(store.query(sql)).rejects.toMatchObject(refused)),
  );
});

test('an investigator sees subscribers and what was rejected, and books nothing', () =>
  asRole('zerorate_investigator', async (store) => {
    for (const sql of OF_ITS_OWN_RIGHTS) expect((await store.query(sql)).length, sql).toBeGreaterThan(0);
    expect(await store.query('SELECT payload FROM suspense LIMIT 1')).toHaveLength(1);
    await expect(store.query('INSERT INTO closings (number) SELECT 9')).rejects.toMatchObject(refused);
  }));

test('the role of accounting posts facts, and books no batch', () =>
  asRole('zerorate_clerk', async (store) => {
    const entry = "SELECT 999, 'parley', 'EUR', 'top-up', 1";
    await store.command(`INSERT INTO account_entries (number, sponsor_id, currency, kind, amount_micros) ${entry}`);
    await expect(store.query('INSERT INTO journal (kind) SELECT 1')).rejects.toMatchObject(refused);
    await expect(store.query('TRUNCATE TABLE account_entries')).rejects.toMatchObject(refused);
  }));

test('a dispatch server reads who is suspended and which key is booked, and nothing of usage or money', () =>
  asRole('zerorate_dispatch', async (store) => {
    await readSuspensionFacts(store);
    expect(await compareKeyHistory(store, [])).toMatchObject({ booked: expect.any(Number) });
    for (const sql of [
      'SELECT count() FROM charges',
      'SELECT amount_micros FROM account_entries',
      'SELECT who FROM pseudonym_keys',
    ])
      await expect(store.query(sql), sql).rejects.toMatchObject(refused);
  }));

describe("one sponsor's reader", () => {
  test('has the rows of the sponsor that it is named like, and no other', () =>
    asRole('zerorate_sponsor', async (store) => {
      for (const view of ['charges', 'booking_totals', 'account_balances', 'account_entries']) {
        const columns = 'DISTINCT sponsor_id AS sponsor';
        expect(await store.query(`SELECT ${columns} FROM ${view}`), view).toEqual([{ sponsor: 'default' }]);
      }
      for (const table of ['corrections', 'closings'])
        expect(await store.query(`SELECT count() AS n FROM ${table}`)).toEqual([{ n: 0 }]);
      expect(await store.query('SELECT sponsor_id, invoice_number, amount_due_micros FROM invoices')).toEqual([]);
    }));

  test('is billed from sums that are its own', () =>
    asRole('zerorate_sponsor', async (store) => {
      const sql = 'SELECT sum(charge_micros) AS micros FROM booking_totals';
      expect(JSON.stringify(await store.query(`EXPLAIN projections = 1 ${sql}`))).toContain('(usage_totals)');
      const own = await store.query(sql);
      expect(await store.query(`${sql} SETTINGS optimize_use_projections = 0`)).toEqual(own);
      const charges = 'SELECT sum(charge_micros) AS micros FROM charges';
      expect(await store.query(charges)).toEqual(own);
    }));

  test.each([
    'SELECT subscriber FROM charges',
    'SELECT * FROM rejections',
    'SELECT * FROM batches',
    'SELECT * FROM leakage',
    'SELECT leakage FROM journal',
    'SELECT document FROM catalogues',
    "SELECT * FROM mergeTreeProjection(currentDatabase(), 'journal', 'usage_totals')",
    "SELECT * FROM mergeTreeIndex(currentDatabase(), 'journal')",
  ])('is refused %s', (sql) =>
    asRole('zerorate_sponsor', (store) => expect(store.query(sql)).rejects.toMatchObject(refused)),
  );
});

// The embedded store hands blocks over in files.
const EMBEDDED_ROLE = ['GRANT READ ON FILE'];

describe('an engine', () => {
  test('may do all that a run asks of the store, suspending sponsors and keeping schemas too', () =>
    asRole(
      'zerorate_engine',
      async (store) => {
        const { sponsors } = chatCatalogue();
        const watcher = new CreditWatcher({ store, sponsors, clock: systemClock, checkIntervalMs: 1000 });
        await watcher.check();
        const debts = sponsors.map((sponsor) => ({ ...sponsor, creditLimitMicros: -(10 ** 15) }));
        const strict = new CreditWatcher({ store, sponsors: debts, clock: systemClock, checkIntervalMs: 1000 });
        expect(await strict.check()).toMatchObject(sponsors.map(({ id }) => ({ sponsorId: id, kind: 'suspension' })));
        expect(await keepSchema(store, 'flow', 7, '{"type":"string"}')).toBe('{"type":"string"}');
        expect(await keepSchema(store, 'flow', 7, '{"type":"int"}')).toBe('{"type":"string"}');
        expect(await keptSchemas(store, 'flow')).toEqual(new Map([[7, '{"type":"string"}']]));
      },
      EMBEDDED_ROLE,
    ));

  test.each([
    'ALTER TABLE journal DELETE WHERE 1',
    'DELETE FROM journal WHERE 1',
    'ALTER TABLE journal UPDATE charge_micros = 0 WHERE 1',
    'ALTER TABLE journal DROP PARTITION 202611',
    'ALTER TABLE journal ADD COLUMN mine UInt8',
    'TRUNCATE TABLE journal',
    'DROP TABLE journal',
    'RENAME TABLE journal TO mine',
    'DROP VIEW charges',
    'CREATE TABLE mine (a UInt8) ENGINE = Memory',
    'CREATE USER mine',
    'INSERT INTO closings (number) SELECT 9',
    'INSERT INTO corrections (number) SELECT 9',
    'INSERT INTO schema_migrations (number) SELECT 99',
    'SELECT * FROM recyclings',
  ])('is refused %s', (sql) =>
    asRole('zerorate_engine', (store) => expect(store.command(sql)).rejects.toMatchObject(refused)),
  );
});

test('an engine books, and changes nothing else', () =>
  asRole(
    'zerorate_engine',
    async (store) => {
      expect(await migrate(store, MIGRATIONS)).toEqual([]);
      const log = { topic: 'flow', partition: 0, lane: 'flow-0' };
      const records = rawRecords([chatRecord({ localSequenceNumber: 1 })], Date.UTC(2026, 10, 23));
      const totals = await runEngine({ store, catalogue: chatCatalogue(), source: memorySource(log, records) });
      expect(totals).toMatchObject({ read: 1 });
      await expect(store.query('INSERT INTO closings (number) SELECT 9')).rejects.toMatchObject(refused);
      await expect(store.query('DROP TABLE journal')).rejects.toMatchObject(refused);
    },
    EMBEDDED_ROLE,
  ));

test('a migrator makes a store', () =>
  as('zerorate_migrator', join(directory, 'new'), async (store) => {
    expect((await migrate(store, MIGRATIONS)).length).toBeGreaterThan(5);
    expect(await migrate(store, MIGRATIONS)).toEqual([]);
  }));
