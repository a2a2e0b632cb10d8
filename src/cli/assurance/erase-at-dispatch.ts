import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import * as z from 'zod';
import { ConfigError } from '../../platform/config/config-error.ts';
import { DataDirectoryError, lockDataDirectory } from '../../platform/data-directory.ts';
import { isUnspecified } from '../../platform/network/listen-error.ts';
import type { PseudonymKey } from '../../rating/subscribers.ts';
import { type DispatchConfig, readDispatchConfig } from '../../sessions/dispatch/dispatch-config.ts';
import { DispatchStore } from '../../sessions/dispatch/dispatch-store.ts';

const TIMEOUT_MS = 60_000;
const answerSchema = z.object({ endedSessions: z.int(), removedEntries: z.int() });

/** The dispatch server did not do it: the key must not be rewritten before it has. */
class DispatchErasureError extends Error {
  readonly code = 'dispatch_not_erased';
  readonly canRetry = true;
}

/**
 * Removes what a dispatch server stores of a subscriber: by its operator interface while it runs, else in its data directory. It has
 * to be done before the numbers are erased from the key, as no pseudonym can be computed afterwards. Returns what was done.
 */
export async function eraseAtDispatch(file: string, numbers: readonly string[], key: PseudonymKey): Promise<string> {
  const config = readDispatchConfig(file, process.env);
  try {
    const directory = { path: config.dataDir, owner: 'command', field: 'dataDir' };
    const unlock = await lockDataDirectory(directory);
    try {
      return await eraseInStore(config.dataDir, numbers, key);
    } finally {
      unlock();
    }
  } catch (error) {
    if (!(error instanceof DataDirectoryError) || error.code !== 'data_directory_in_use') throw error;
    return askServer(file, config, numbers);
  }
}

async function eraseInStore(dataDir: string, numbers: readonly string[], key: PseudonymKey): Promise<string> {
  const store = new DispatchStore(dataDir);
  try {
    const removed = await store.erase(numbers.map((number) => key.pseudonymOf(number).toString('hex')));
    return `${dataDir}: ${removed} entries removed; the dispatch server is stopped`;
  } finally {
    await store.close();
  }
}

async function askServer(file: string, config: DispatchConfig, numbers: readonly string[]): Promise<string> {
  const { host, port, tls } = config.http;
  const reached = isUnspecified(host) ? '127.0.0.1' : host;
  const origin = `${tls === undefined ? 'http' : 'https'}://${reached.includes(':') ? `[${reached}]` : reached}:${port}`;
  if (port === 0)
    throw new ConfigError(`${file}: http.port: 0 takes any port; stop the dispatch server, and run this again`);
  // The certificate is the one of the file, whatever name it is for.
  const connect = tls && { ca: readFileSync(tls.certFile, 'utf8'), checkServerIdentity: () => undefined };
  const agent = new Agent({ bodyTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS, ...(connect && { connect }) });
  try {
    const { statusCode, body } = await request(`${origin}/v1/subscribers/erasure`, {
      method: 'POST',
      headers: { authorization: `Bearer ${config.secrets.operator.reveal()}`, 'content-type': 'application/json' },
      body: JSON.stringify({ numbers }),
      dispatcher: agent,
    });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`HTTP ${statusCode}`);
    const { endedSessions, removedEntries } = answerSchema.parse(JSON.parse(text));
    return `${origin}: ${endedSessions} sessions ended, ${removedEntries} entries removed`;
  } catch (cause) {
    const why = (cause as Error).message;
    const message = `${origin}: the running dispatch server did not erase the subscriber: ${why}; nothing was erased from the key. Run this again, or stop the dispatch server first`;
    throw new DispatchErasureError(message, { cause });
  } finally {
    await agent.close();
  }
}
