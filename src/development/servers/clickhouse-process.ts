import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packagePath } from '../../platform/package-paths.ts';
import type { ClickHouseHttp, ClickHouseHttpOptions } from './clickhouse-http.ts';
import { TestServerError } from './test-server-error.ts';

/** The HTTP fixture in its own process, so that this process may open another data directory. */
export interface ClickHouseProcess extends ClickHouseHttp {
  pid: number;
  /** Ends it like a crash (SIGKILL). A data directory of the caller's stays. */
  kill(): Promise<void>;
}

export async function startClickHouseProcess(options: ClickHouseHttpOptions = {}): Promise<ClickHouseProcess> {
  const main = packagePath('dist/development/servers/clickhouse-http-main.js');
  const path = options.path ?? (await mkdtemp(join(tmpdir(), 'zerorate-clickhouse-')));
  const { port = 0, configFile } = options;
  const child = fork(main, [path, String(port), ...(configFile === undefined ? [] : [configFile])], {
    execArgv: [],
    // Ctrl+C reaches the parent alone, which ends its servers in their order.
    detached: true,
  });
  const exit = once(child, 'exit');

  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    child.kill(signal);
    await exit;
    if (options.path === undefined) await rm(path, { recursive: true, force: true });
  }
  const url = await Promise.race([once(child, 'message').then(([message]) => String(message)), exit.then(() => null)]);
  if (url === null) {
    throw new TestServerError('clickhouse_not_started', `ClickHouse's HTTP fixture did not start over ${path}`);
  }
  return { url, pid: pidOf(child), stop: () => end('SIGTERM'), kill: () => end('SIGKILL') };
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new TestServerError('clickhouse_not_started', 'the process has no pid');
  return pid;
}
