import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';

/** Opens and closes the store, with the path of chdb and that of the data. */
const PROGRAM = 'const { Session } = require(process.argv[1]); new Session(process.argv[2]).close(); process.exit(0);';
const PROBE_TIMEOUT_MS = 600_000;

/**
 * Opens ClickHouse over `dataPath` in a process of its own, and closes it. Returns null when it opened, else what it printed:
 * chdb gives the reason nowhere else, and would print it on the terminal.
 */
export function probeEmbedded(dataPath: string): Promise<string | null> {
  const chdb = createRequire(import.meta.url).resolve('chdb');
  const options = { timeout: PROBE_TIMEOUT_MS, env: { ...process.env, NODE_OPTIONS: '' } };
  return new Promise((resolve) => {
    execFile(process.execPath, ['-e', PROGRAM, chdb, dataPath], options, (error, _, stderr) => {
      if (error === null) resolve(null);
      else resolve(/Code: \d+\. DB::.*/s.exec(stderr)?.[0] ?? (stderr.trim() || error.message));
    });
  });
}
