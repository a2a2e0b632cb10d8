import { readSourceAgain } from '../../engine/read-again/read-source-again.ts';
import { walkBatches } from '../../engine/read-again/walk-batches.ts';
import { loadKeyOf } from '../../engine/running/load-key.ts';
import { recordRules } from '../../engine/running/record-rules.ts';
import type { BookedSource } from '../../finance/corrections/booked-source.ts';
import { ClickHouseEvidence } from '../../journal/evidence/clickhouse-evidence.ts';
import type { Store } from '../../platform/clickhouse/store.ts';
import type { Config } from '../../platform/config/config.ts';
import { createLogger } from '../../platform/telemetry/logger.ts';

/** Opens the configured source to read what is booked of it again; adds to `closing` what closes it. */
export async function openBookedSource(
  config: Config,
  store: Store,
  closing: (() => Promise<void>)[],
): Promise<BookedSource> {
  const logger = createLogger(config.log);
  const { key } = await loadKeyOf(store, config, logger);
  const again = await readSourceAgain(config, store, logger);
  closing.push(again.close);
  return {
    evidence: new ClickHouseEvidence(store),
    hasLane: again.hasLane,
    readable: again.readable,
    walk: (batches, onMissing) => walkBatches(batches, again.open, onMissing),
    pseudonymKey: key,
    recordRules: recordRules(config),
  };
}
