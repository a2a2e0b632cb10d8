import { leakageKey, type OutcomeTotal, outcomeKey } from '../../journal/evidence/batch-lists.ts';
import type { FlowRecord } from '../../rating/flow-record.ts';
import type { Fault } from '../../rating/outcome.ts';
import type { SecondOutcome } from './second-computation.ts';
import { networkOfAddress } from './second-evidence.ts';

const DAY_MS = 86_400_000;

/** A record of a batch, and its second computation. */
interface Computed {
  read: FlowRecord | Fault;
  outcome: SecondOutcome;
}

interface Group extends OutcomeTotal {
  key: string;
  outcome: string;
}

/**
 * Returns a batch's expected leakage, by `leakageKey`: of the unsponsored records the `maxRows` largest groups, and the
 * remainders. `claimed`: tags of the catalogue; in other tags, digits that may be a subscriber's number are not kept.
 */
export function secondLeakage(
  computed: readonly Computed[],
  maxRows: number,
  claimed: ReadonlyMap<string, unknown>,
): Map<string, OutcomeTotal> {
  if (maxRows === 0) return new Map();
  const groups = new Map<string, Group>();
  for (const { read, outcome } of computed) {
    if (outcome.outcome !== 'not_sponsored' || 'reason' in read) continue;
    const key = leakageKey({
      applicationId: outcome.applicationId,
      reason: outcome.reason,
      prefix: networkOfAddress(read.remoteIp),
      tag: shownTag(read.zeroRatingTag ?? '', claimed),
      nodeId: read.nodeId,
      day: Math.floor(read.startTime / DAY_MS),
    });
    const group = groups.get(key) ?? { key, outcome: outcomeKey(outcome.applicationId, outcome.reason), ...NOTHING };
    group.records++;
    group.octets += read.uplinkOctets + read.downlinkOctets;
    groups.set(key, group);
  }
  // The sort is stable and a Map keeps its order: of equal groups the first read comes first.
  const bySize = [...groups.values()].sort((a, b) => b.octets - a.octets);
  const leakage = new Map<string, OutcomeTotal>();
  for (const [place, { key, outcome, records, octets }] of bySize.entries()) {
    const kept = place < maxRows ? key : `${outcome} remainder`;
    const sum = leakage.get(kept) ?? NOTHING;
    leakage.set(kept, { records: sum.records + records, octets: sum.octets + octets });
  }
  return leakage;
}

function shownTag(tag: string, claimed: ReadonlyMap<string, unknown>): string {
  if (claimed.has(tag)) return tag;
  const shown = [...tag].map((character) => ({ character, isDigit: character >= '0' && character <= '9' }));
  for (let start = 0; start < shown.length; start++) {
    if (!shown[start].isDigit) continue;
    const digits = [start];
    for (let at = start + 1; at < shown.length && at - digits[digits.length - 1] <= 2; at++) {
      if (shown[at].isDigit) digits.push(at);
    }
    if (digits.length >= 7) for (const at of digits) shown[at].character = '#';
    start = digits[digits.length - 1];
  }
  return shown.map(({ character }) => character).join('');
}

const NOTHING: OutcomeTotal = { records: 0, octets: 0 };
