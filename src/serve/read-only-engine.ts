import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ChdbResult, drainPending, Session } from 'chdb';
import type { ClickHouseRequest } from '../platform/clickhouse-request.ts';
import { literal } from '../platform/store.ts';
import { StoreError } from '../platform/store-error.ts';
import { inspectStatement } from './inspect-statement.ts';
import { writeReadOnlyUser } from './read-only-user.ts';

export type Question = Omit<ClickHouseRequest, 'data'>;

/** A question's answer, and the format that it is in. */
export interface Answer {
  result: ChdbResult;
  format: string;
}

/** ClickHouse in this process, over one store, for questions only. */
export interface ReadOnlyEngine {
  version: string;
  timezone: string;
  /** Rejects with an error in ClickHouse's own words. */
  ask(question: Question): Promise<Answer>;
  /** To be called when no question is under way. */
  stop(): Promise<void>;
}

/** A line of SHOW GRANTS that grants nothing but reading. */
const GRANTS_READING = /^GRANT (SELECT|SHOW \w+)(, (SELECT|SHOW \w+))* ON \S+ TO \w+$/;

/**
 * Opens the embedded store in `directory` with a user that can only read it (see writeReadOnlyUser). Rejects with a
 * StoreError, also when ClickHouse has not taken the user's limits over: then anyone could do everything.
 */
export async function openReadOnlyEngine(directory: string): Promise<ReadOnlyEngine> {
  const path = join(directory, 'clickhouse');
  // An engine that this process had before, with other rights, has to be gone.
  await drainPending();
  const configuration = await writeReadOnlyUser();
  const anchor = openAnchor(directory, path, join(configuration, 'config.xml'));
  async function stop(): Promise<void> {
    anchor.close();
    await drainPending();
    await rm(configuration, { recursive: true, force: true });
  }
  const facts = await textOf(anchor, "SELECT version(), timezone(), getSetting('readonly')");
  const [version, timezone, readonly] = facts.split('\t');
  const grants = (await textOf(anchor, 'SHOW GRANTS')).split('\n');
  if (readonly !== '2' || !grants.every((grant) => GRANTS_READING.test(grant))) {
    await stop();
    throw new StoreError('store_broken', 'ClickHouse has not taken the rights of a reader over: nothing is served');
  }
  return { version, timezone, ask: (question) => askAlone(path, question), stop };
}

/** The engine lives as long as any session does, and has the user of the first: this one keeps it up. */
function openAnchor(directory: string, path: string, configFile: string): Session {
  try {
    return new Session(path, { connectionArgs: [`--config-file=${configFile}`] });
  } catch (cause) {
    const remedy = 'stop it: an embedded store has one process at a time';
    throw new StoreError('store_in_use', `${directory}: the store is in use by another process; ${remedy}`, {
      cause,
      canRetry: true,
    });
  }
}

async function textOf(session: Session, sql: string): Promise<string> {
  return (await session.queryAsync(sql, { format: 'TSVRaw' })).text().trim();
}

/** What SET and USE change lasts as long as a session: every question has one of its own, as on a server. */
async function askAlone(path: string, { sql, database, settings, defaultFormat }: Question): Promise<Answer> {
  const session = new Session(path);
  try {
    if (database !== null) await session.queryAsync(`USE ${quotedName(database)}`);
    for (const [name, value] of settings) await session.queryAsync(`SET ${quotedName(name)} = ${literal(value)}`);
    const { sql: inspected, format } = inspectStatement(await formatted(session, sql));
    return { result: await session.queryAsync(inspected, { format: defaultFormat }), format: format ?? defaultFormat };
  } finally {
    session.close();
  }
}

/** The statement as ClickHouse understands it, in one spelling. */
async function formatted(session: Session, sql: string): Promise<string> {
  try {
    return await textOf(session, `SELECT formatQuerySingleLine(${literal(sql)})`);
  } catch (error) {
    // The fault is the statement's own, and so should its message be.
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(message.replace(/ ?: In scope SELECT formatQuerySingleLine\(.*\)\. \((\w+)\)$/s, ' ($1)'), {
      cause: error,
    });
  }
}

function quotedName(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}
