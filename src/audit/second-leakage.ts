import type { FlowRecord } from '../billing/flow-record.ts';
import type { Fault } from '../billing/outcome.ts';
import { leakageKey, type OutcomeTotal, outcomeKey } from './outcome-list.ts';
import type { SecondOutcome } from './second-computation.ts';
import { networkOfAddress } from './second-rules.ts';

const DAY_MS = 86_400_000;

/** A record of a batch, and what the second computation makes of it. */
interface Computed {
  read: FlowRecord | Fault;
  outcome: SecondOutcome;
}

interface Group extends OutcomeTotal {
  key: string;
  outcome: string;
}

/** What a batch's leakage should be, by `leakageKey`: of the unsponsored records the `maxRows` largest groups, and the rest. */
export function secondLeakage(computed: readonly Computed[], maxRows: number): Map<string, OutcomeTotal> {
  if (maxRows === 0) return new Map();
  const groups = new Map<string, Group>();
  for (const { read, outcome } of computed) {
    if (outcome.outcome !== 'not_sponsored' || 'reason' in read) continue;
    const key = leakageKey({
      applicationId: outcome.applicationId,
      reason: outcome.reason,
      prefix: networkOfAddress(read.remoteIp),
      tag: read.zeroRatingTag ?? '',
      nodeId: read.nodeId,
      day: Math.floor(read.startTime / DAY_MS),
    });
    const group = groups.get(key) ?? { key, outcome: outcomeKey(outcome.applicationId, outcome.reason), ...NOTHING };
    group.records++;
    group.octets += read.uplinkOctets + read.downlinkOctets;
    groups.set(key, group);
  }
  // A stable sort of what a Map keeps in order: of equal groups the first read comes first.
  const bySize = [...groups.values()].sort((a, b) => b.octets - a.octets);
  const leakage = new Map<string, OutcomeTotal>();
  for (const [place, { key, outcome, records, octets }] of bySize.entries()) {
    const kept = place < maxRows ? key : `${outcome} remainder`;
    const sum = leakage.get(kept) ?? NOTHING;
    leakage.set(kept, { records: sum.records + records, octets: sum.octets + octets });
  }
  return leakage;
}

const NOTHING: OutcomeTotal = { records: 0, octets: 0 };
