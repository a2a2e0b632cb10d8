import assert from 'node:assert/strict';
import type { MadeDataset } from './dataset.ts';
import type { SideTotals } from './side.ts';

/** What a side counts must be what was produced: a side that skips records, or sponsors others, is not faster but wrong. */
export function assertSameWork(side: string, totals: SideTotals, made: MadeDataset): void {
  const expected: SideTotals = {
    records: made.records,
    octets: made.uplinkOctets + made.downlinkOctets,
    valueBytes: made.valueBytes,
    chargeMicros: made.chargeMicros,
    charged: made.tagged + made.ipMatched + made.tagAndIp,
  };
  for (const [name, value] of Object.entries(totals)) {
    assert.equal(value, expected[name as keyof SideTotals], `${side}: ${name}`);
  }
}
