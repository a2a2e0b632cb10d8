import { closeSync, openSync, rmSync, writev } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createClient } from '@clickhouse/client';
import { guarded, QUIET, queryRows, runCommand, streamResult } from './clickhouse-client.ts';
import { literal, type Row, type Store, type StoreMode } from './store.ts';
import { StoreError } from './store-error.ts';

/**
 * Opens ClickHouse in this process over `directory/clickhouse`. One process at a time can have it.
 */
export async function openEmbeddedStore(directory: string, options: StoreMode): Promise<Store> {
  const dataPath = join(directory, 'clickhouse');
  const stagingPath = join(directory, 'staging');
  if (!options.create && !(await exists(dataPath))) {
    throw new StoreError(
      'store_missing',
      `${directory}: no store is there; \`zerorate run --store ${directory}\` makes one`,
    );
  }
  await mkdir(dataPath, { recursive: true });
  const client = createClient({ connection: await connect(directory, dataPath), log: QUIET });
  // What a crash left behind was never booked, or is in the journal already. Whoever has the store has the folder, too.
  await rm(stagingPath, { recursive: true, force: true });
  await mkdir(stagingPath, { recursive: true });
  if (options.readOnly === true) await runCommand(client, 'SET readonly = 2');
  let staged = 0;
  return {
    door: 'embedded',
    query: <T = Row>(sql: string) => queryRows<T>(client, sql),
    stream: (sql, format) => streamResult(client, sql, format),
    command: (sql) => runCommand(client, sql),
    async insertBlock(insert, structure, block) {
      // chdb's connection makes text of insert bodies, so the bytes go by a file (design section 4).
      const path = join(stagingPath, `${staged++}.native`);
      try {
        await stage(path, block);
        await guarded(() => client.command({ query: insert(`file(${literal(path)}, Native, ${literal(structure)})`) }));
      } finally {
        rmSync(path, { force: true });
      }
    },
    close: () => client.close(),
  };
}

const writeAll = promisify(writev);

type Connection = NonNullable<NonNullable<Parameters<typeof createClient>[0]>['connection']>;

/** Loads ClickHouse, 150 MB, which a program without an embedded store has no use for. */
async function connect(directory: string, dataPath: string): Promise<Connection> {
  const { createChdbConnection } = await import('chdb/connection');
  try {
    // Two copies of the same interface: chdb's types come from client-common, the client bundles its own.
    return createChdbConnection({ path: dataPath }) as unknown as Connection;
  } catch (cause) {
    throw new StoreError(
      'store_in_use',
      `${directory}: the store is in use by another process; stop it, or name another directory with --store`,
      { cause, canRetry: true },
    );
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/**
 * What a full disk cuts short is thrown away with its file: no statement reads it. Only the octets are waited for, as every
 * wait is as long as what the process does just then.
 */
async function stage(path: string, block: readonly Uint8Array[]): Promise<void> {
  try {
    const file = openSync(path, 'w');
    try {
      const octets = block.reduce((sum, { length }) => sum + length, 0);
      const { bytesWritten } = await writeAll(file, block);
      if (bytesWritten < octets) throw new Error(`${bytesWritten} of ${octets} octets were written`);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    const message = `${path}: a batch cannot be staged (${(cause as Error).message}); is there room on the disk?`;
    throw new StoreError('store_full', message, { cause, canRetry: true });
  }
}
