import type { Candidate, Decoded } from './decoder.ts';
import { jsonFaultAt } from './json-fault.ts';
import { utf8Text } from './utf8.ts';

/** Decodes one JSON object (RFC 8259, UTF-8). Integers beyond 2^53 become the nearest double: out of range either way. */
export function decodeJson(value: Uint8Array): Decoded {
  const text = utf8Text(value);
  if (text === null) return malformed('not UTF-8');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return malformed(`not JSON: fault at character ${(jsonFaultAt(text) ?? text.length) + 1} of ${text.length}`);
  }
  if (typeof parsed !== 'object' || parsed === null) return malformed('a JSON value that is not an object');
  if (Array.isArray(parsed)) return malformed('a JSON array, not an object');
  return { candidate: parsed as Candidate };
}

function malformed(detail: string): Decoded {
  return { fault: { reason: 'malformed', detail } };
}
