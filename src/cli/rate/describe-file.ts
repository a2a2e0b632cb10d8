import { counted, grouped } from '../../platform/telemetry/print-table.ts';
import type { RecordLimits } from '../../rating/flow-record.ts';
import { readRecord } from '../../rating/pipeline.ts';
import type { FlowFile } from '../../sources/files/flow-file.ts';
import { type FlowFileOptions, openFlowFile } from '../../sources/files/open-flow-file.ts';

/** Reads a file to its end and says in a line what it holds. Throws the SourceError of one that cannot be read. */
export async function describeFile(file: FlowFile, options: FlowFileOptions, limits: RecordLimits): Promise<string> {
  const { batches, decode, about, close } = await openFlowFile(file, options);
  let records = 0;
  const faults = new Map<string, number>();
  try {
    for await (const batch of batches) {
      for (const { value, oversizedOctets = 0 } of batch) {
        records += 1;
        const record = readRecord({ value, oversizedOctets }, decode, limits);
        if ('reason' in record) faults.set(record.reason, (faults.get(record.reason) ?? 0) + 1);
      }
    }
  } finally {
    close();
  }
  const reasons = [...faults].map(([reason, count]) => `${grouped(count)} ${reason}`).join(', ');
  const rejected = reasons === '' ? 'all of them can be rated' : `to be rejected: ${reasons}`;
  return `${file.path}: ${about === undefined ? '' : `${about}; `}${counted(records, 'record')}, ${rejected}`;
}
