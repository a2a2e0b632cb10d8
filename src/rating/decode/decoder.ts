import type { Fault } from '../outcome.ts';
import type { FlowReader } from '../record/flow-fields.ts';

/** Fields as they are in a source's record: named, not yet validated. */
export type Candidate = Record<string, unknown>;

/** `fault` when the bytes are no record at all; otherwise the fields, for `validateFlowRecord` to judge. */
export type Decoded = { candidate: Candidate; fault?: undefined } | { candidate?: undefined; fault: Fault };

/** Turns one record's bytes into fields. Never throws on bad input. */
export interface Decoder {
  (value: Uint8Array): Decoded;
  /** The short way, where there is one: it gives what the long way gives, or nothing. */
  readFlow?: FlowReader;
}
