import { rename, writeFile } from 'node:fs/promises';
import { Gauge, Registry } from 'prom-client';

export interface AuditFigures {
  /** Faults found, by each invariant that was checked. */
  faults: ReadonlyMap<string, number>;
  batches: number;
}

/**
 * What an audit has found, in Prometheus's text format for a textfile collector (node_exporter): an audit is over long before
 * anybody could scrape it. The file is replaced as a whole. Rejects when it cannot be written.
 */
export async function writeAuditMetrics(path: string, { faults, batches }: AuditFigures): Promise<void> {
  const registry = new Registry();
  const registers = [registry];
  const found = new Gauge({
    name: 'zerorate_audit_faults',
    help: 'faults that the last audit has found, by invariant',
    labelNames: ['invariant'],
    registers,
  });
  for (const [invariant, count] of faults) found.set({ invariant }, count);
  new Gauge({ name: 'zerorate_audit_batches', help: 'batches that the last audit has read', registers }).set(batches);
  new Gauge({
    name: 'zerorate_audit_timestamp_seconds',
    help: 'when the last audit ended, Unix time',
    registers,
  }).setToCurrentTime();
  const unfinished = `${path}.unfinished`;
  await writeFile(unfinished, await registry.metrics());
  await rename(unfinished, path);
}
