import { rename, writeFile } from 'node:fs/promises';
import { Gauge, Registry } from 'prom-client';

export interface AuditFigures {
  /** Faults by checked invariant. */
  faults: ReadonlyMap<string, number>;
  batches: number;
}

/**
 * Writes an audit's results in Prometheus's text format for a textfile collector (node_exporter): an audit ends long before
 * it could be scraped. The file is replaced as a whole. Rejects when it cannot be written.
 */
export async function writeAuditMetrics(path: string, { faults, batches }: AuditFigures): Promise<void> {
  const registry = new Registry();
  const registers = [registry];
  const found = new Gauge({
    name: 'zerorate_audit_faults',
    help: 'faults found by the last audit, by invariant',
    labelNames: ['invariant'],
    registers,
  });
  for (const [invariant, count] of faults) found.set({ invariant }, count);
  new Gauge({ name: 'zerorate_audit_batches', help: 'batches read by the last audit', registers }).set(batches);
  new Gauge({
    name: 'zerorate_audit_timestamp_seconds',
    help: 'when the last audit ended, Unix time',
    registers,
  }).setToCurrentTime();
  const unfinished = `${path}.unfinished`;
  await writeFile(unfinished, await registry.metrics());
  await rename(unfinished, path);
}
