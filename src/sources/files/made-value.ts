import { decodeJson, jsonLayout } from '../../rating/decode/decode-json.ts';
import type { Decoded, Decoder } from '../../rating/flow-record.ts';
import type { Fault } from '../../rating/outcome.ts';

/** The one field that no flow record has. */
const FAULT = 'fault';

/** The value of a record that is not one span of its file: its fields as JSON. */
export function recordValue(fields: object): Buffer {
  return Buffer.from(JSON.stringify(fields));
}

/** The value of what is no record: why, and what it has of its own. */
export function faultValue(fault: Fault, source: object = {}): Buffer {
  return Buffer.from(JSON.stringify({ [FAULT]: fault, ...source }));
}

/** Decodes both. */
export const decodeMadeValue: Decoder = Object.assign(decode, jsonLayout);

function decode(value: Uint8Array): Decoded {
  const decoded = decodeJson(value);
  const fault = decoded.candidate?.[FAULT];
  return isFault(fault) ? { fault } : decoded;
}

function isFault(value: unknown): value is Fault {
  return typeof value === 'object' && value !== null && 'reason' in value && 'detail' in value;
}
