import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { drainPending, Session } from 'chdb';
import { exception } from '../../platform/clickhouse/clickhouse-exception.ts';
import { literal } from '../../platform/clickhouse/store.ts';
import type { EngineReport, EngineRequest, Query, QuerySummary } from './engine-messages.ts';
import { inspectStatement, isKeptSetting, settingNotAllowedError } from './inspect-statement.ts';
import { CANCELLER, QUERY_SETTING } from './statement-rules.ts';

/** A line of SHOW GRANTS that grants only reading. */
const GRANTS_READING = /^GRANT (SELECT|SHOW \w+)(\([^()]+\))?(, (SELECT|SHOW \w+)(\([^()]+\))?)* ON \S+ TO \w+$/;

const [path, configFile] = process.argv.slice(2);
// The engine lives as long as any session does, and has the user of the first: this session keeps it running, and cancels
// queries.
const anchor = new Session(path, { connectionArgs: [`--config-file=${configFile}`] });

// Ctrl+C goes to every process of a terminal: the parent stops this process when its queries are done.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => {
  rmSync(dirname(configFile), { recursive: true, force: true });
  process.kill(process.pid, 'SIGKILL');
});
process.on('message', (request: EngineRequest) => {
  if (request.kind === 'ask') void answer(request);
  else if (request.kind === 'cancel') void cancel(request.id);
  else void stop();
});

await anchor.queryAsync(`SET ${QUERY_SETTING} = '${CANCELLER}'`);
const grants = (await textOf(anchor, 'SHOW GRANTS')).split('\n');
if (!grants.every((grant) => GRANTS_READING.test(grant))) report({ kind: 'unlimited' });
const [version, timezone] = (await textOf(anchor, 'SELECT version(), timezone()')).split('\t');
report({ kind: 'opened', version, timezone });

async function answer({ id, query, pipe }: Extract<EngineRequest, { kind: 'ask' }>): Promise<void> {
  // The effects of SET and USE last as long as a session: every query has its own session, as on a server.
  let session: Session | null = null;
  let outcome: EngineReport;
  try {
    session = new Session(path);
    outcome = { kind: 'ended', id, summary: await ask(session, id, query, pipe) };
  } catch (error) {
    outcome = { kind: 'failed', id, message: error instanceof Error ? error.message : String(error) };
  }
  // The session closes the pipe: the report follows after everything is written.
  session?.close();
  report(outcome);
}

async function ask(session: Session, id: number, query: Query, pipe: string): Promise<QuerySummary> {
  // Before the client's settings, which may change what it returns.
  const { sql, format: named } = inspectStatement(await formatted(session, query.sql), { isEmbedded: true });
  const format = named ?? query.defaultFormat;
  if (!/^\w+$/.test(format)) throw exception(73, 'UNKNOWN_FORMAT', `Unknown format ${format}`);
  await session.queryAsync('SET readonly = 2');
  await session.queryAsync(`SET ${QUERY_SETTING} = '${id}'`);
  if (query.database !== null) await session.queryAsync(`USE ${quotedName(query.database)}`);
  for (const [name, value] of query.settings) {
    if (isKeptSetting(name)) throw settingNotAllowedError(name);
    await session.queryAsync(`SET ${quotedName(name)} = ${literal(value)}`);
  }
  report({ kind: 'started', id, format });
  const written = `${sql} INTO OUTFILE ${literal(pipe)} APPEND FORMAT ${format}`;
  const { rowsRead, bytesRead, elapsed } = await session.queryAsync(written, { format });
  return { rowsRead, bytesRead, elapsed };
}

async function cancel(id: number): Promise<void> {
  await anchor.queryAsync(`KILL QUERY WHERE Settings['${QUERY_SETTING}'] = '${id}' ASYNC`).catch(() => {});
}

async function stop(): Promise<void> {
  anchor.close();
  await drainPending();
  process.exit(0);
}

async function textOf(session: Session, sql: string): Promise<string> {
  return (await session.queryAsync(sql, { format: 'TSVRaw' })).text().trim();
}

/** Returns the statement as ClickHouse parses it, in one spelling. */
async function formatted(session: Session, sql: string): Promise<string> {
  try {
    return await textOf(session, `SELECT formatQuerySingleLine(${literal(sql)})`);
  } catch (error) {
    // The fault is the statement's own, so its message is used.
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(message.replace(/ ?: In scope SELECT formatQuerySingleLine\(.*\)\. \((\w+)\)$/s, ' ($1)'), {
      cause: error,
    });
  }
}

function quotedName(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}

function report(message: EngineReport): void {
  process.send?.(message);
}
