import type { Candidate, FlowRecord } from '../rating/flow-record.ts';
import type { GeneratedEvidence } from './draw-flow-record.ts';
import type { Malformation } from './malformations.ts';

/**
 * One generated record. A `duplicate` repeats an earlier `usual` or `late` record exactly. A `conflicting` one has the
 * identity of an earlier one and other octets.
 */
export type GeneratedRecord =
  | { kind: 'usual' | 'late'; record: FlowRecord; evidence: GeneratedEvidence }
  | { kind: 'duplicate' | 'conflicting'; record: FlowRecord }
  | { kind: 'malformed'; malformation: Malformation; key: string; fields: Candidate };
