import { expect, test } from 'vitest';
import { loadConfig } from '../../platform/config/load-config.ts';
import { PseudonymKey } from '../../rating/subscribers.ts';
import { workerSettings } from './assemble-engine.ts';

test.each([
  [1, 1_000_000_000],
  [3, 333_333_333],
])('%i threads share the memory of a process’s batches in equal parts', (threads, maxTotalBytes) => {
  const yaml = `catalogue: c
source: { kafka: { brokers: ["k:1"], topic: t } }
store: { url: http://ch:8123 }
batch: { maxTotalBytes: 1000000000 }
engine: { threads: ${threads} }
quotaUpdates: { minIntervalMs: 2000 }
`;
  const env = { ZERORATE_PSEUDONYM_KEY: '5a'.repeat(32) };
  const { config } = loadConfig({ file: 'z.yaml', env, overrides: {}, readFile: () => yaml });
  const key = { key: PseudonymKey.ofRoot(Buffer.alloc(32, 7)), history: [] };
  const settings = config && workerSettings({ config, key, acceptGaps: true });
  expect(settings).toMatchObject({ maxTotalBytes, acceptGaps: true, maxRecords: 100_000, quotaIntervalMs: 2000 });
});
