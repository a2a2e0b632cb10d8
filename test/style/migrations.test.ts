import { expect, test } from 'vitest';
import { readMigrations } from '../../src/journal/migrate.ts';
import { packagePath } from '../../src/platform/package-paths.ts';

test('migrations are numbered from 1 without a gap', async () => {
  expect(await readMigrations(packagePath('schemas/clickhouse'))).not.toEqual([]);
});
