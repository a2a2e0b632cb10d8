import { closeSync, openSync, rmSync, writev } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createClient } from '@clickhouse/client';
import { probeEmbedded } from './probe-embedded.ts';
import {
  guarded,
  literal,
  QUIET,
  queryRows,
  type Row,
  runCommand,
  type Store,
  StoreError,
  type StoreMode,
  streamResult,
} from './store.ts';
import {
  DATA_DIRECTORY,
  directoryError,
  mayBeHeld,
  noRoom,
  prepareStoreDirectory,
  STAGING_DIRECTORY,
  unopenedError,
} from './store-directory.ts';

/**
 * Opens ClickHouse in this process over `directory/clickhouse`. One process at a time can have it.
 */
export async function openEmbeddedStore(directory: string, options: StoreMode): Promise<Store> {
  const dataPath = join(directory, DATA_DIRECTORY);
  const stagingPath = join(directory, STAGING_DIRECTORY);
  await prepareStoreDirectory(directory, options);
  const client = createClient({ connection: await connect(directory, dataPath), log: QUIET });
  const roomy = <T>(call: () => Promise<T>) => namingRoom(directory, call);
  try {
    // What a crash left behind was never booked, or is in the journal already. Only the process that has the store is here.
    await rm(stagingPath, { recursive: true, force: true });
    await mkdir(stagingPath, { recursive: true });
  } catch (error) {
    await client.close();
    throw await directoryError(directory, error);
  }
  if (options.readOnly === true) await runCommand(client, 'SET readonly = 2');
  let staged = 0;
  return {
    access: 'embedded',
    query: <T = Row>(sql: string) => roomy(() => queryRows<T>(client, sql)),
    stream: (sql, format) => roomy(() => streamResult(client, sql, format)),
    command: (sql) => roomy(() => runCommand(client, sql)),
    async insertBlock(insert, structure, block) {
      // chdb's connection makes text of insert bodies, so the bytes go by a file (design section 4).
      const path = join(stagingPath, `${staged++}.native`);
      try {
        await stage(directory, path, block);
        const query = insert(`file(${literal(path)}, Native, ${literal(structure)})`);
        await roomy(() => guarded(() => client.command({ query })));
      } finally {
        rmSync(path, { force: true });
      }
    },
    close: () => client.close(),
  };
}

const writeAll = promisify(writev);

type Connection = NonNullable<NonNullable<Parameters<typeof createClient>[0]>['connection']>;

async function connect(directory: string, dataPath: string): Promise<Connection> {
  // It prints why it cannot open a store: another process may, so that what is printed is one message, and ours.
  if (await mayBeHeld(directory)) {
    const printed = await probeEmbedded(dataPath);
    if (printed !== null) throw await unopenedError(directory, new Error(printed));
  }
  // ClickHouse takes 160 MB as soon as it is loaded: commands without an embedded store do without.
  const { createChdbConnection } = await import('chdb/connection');
  // Two copies of the same interface: chdb's types come from client-common, the client bundles its own.
  const open = () => createChdbConnection({ path: dataPath }) as unknown as Connection;
  try {
    return open();
  } catch (cause) {
    const printed = await probeEmbedded(dataPath);
    if (printed !== null) throw await unopenedError(directory, new Error(printed, { cause }));
  }
  try {
    return open();
  } catch (cause) {
    throw await unopenedError(
      directory,
      new Error('only one active data directory is possible in a process', { cause }),
    );
  }
}

/** ClickHouse does not say whose disk is full. */
async function namingRoom<T>(directory: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw error instanceof StoreError && error.code === 'store_full' ? await noRoom(directory, error.cause) : error;
  }
}

/**
 * What a full disk cuts short is thrown away with its file: no statement reads it. Only the octets are waited for, as every
 * wait is as long as what the process does just then.
 */
async function stage(directory: string, path: string, block: readonly Uint8Array[]): Promise<void> {
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
    throw await noRoom(directory, cause);
  }
}
