import { join } from 'node:path';
import { reportFailure } from '../../src/cli/failure.ts';
import { readCatalogue, readConfig } from '../../src/engine/assembly/read-config.ts';
import { runEngine } from '../../src/engine/running/run-engine.ts';
import { openStore } from '../../src/journal/open-store.ts';
import { createLogger } from '../../src/platform/telemetry/logger.ts';
import { Progress } from '../../src/platform/telemetry/terminal-output.ts';
import { failpointOf } from './failpoints.ts';

// Usage: node engine-main.js CONFIG. `zerorate run --config CONFIG`, with the failpoint that CHAOS_FAILPOINT names: the
// engine itself has none.
async function main(file: string | undefined): Promise<void> {
  const config = readConfig(file === undefined ? {} : { config: file });
  const catalogue = readCatalogue(config.catalogue);
  const logger = createLogger(config.log);
  const progress = new Progress(process.stderr, () => {});
  const store = await openStore(config.store, { create: true });
  try {
    // A full disk may lose rows whose updates are published: the run shows that they are booked again.
    const options = { config, catalogue, store, logger, progress, acceptsRestored: true };
    const threadProgram = join(import.meta.dirname, 'engine-thread-main.js');
    await runEngine({ ...options, decorateParts: failpointOf(process.env.CHAOS_FAILPOINT), threadProgram });
  } finally {
    await store.close();
  }
}

try {
  await main(process.argv[2]);
} catch (error) {
  process.exitCode = reportFailure(error);
}
