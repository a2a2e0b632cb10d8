import { plainDatum } from '../admission-kernel.ts';
import type { Candidate, Decoded, Decoder } from '../flow-record.ts';
import { JSON_OBJECT } from '../kernel/regions.ts';
import { isFieldName } from '../record/field-names.ts';
import { jsonFaultAt } from './json-fault.ts';
import { repeatedName } from './json-members.ts';
import { utf8Text } from './utf8.ts';

/** Every decoder of JSON: an object of the flow record's own fields is in plain layout, whatever else it could be is not. */
export const jsonLayout = { plainDatum: (_: Uint8Array, start: number) => plainDatum(start, JSON_OBJECT) };

/**
 * Decodes one JSON object (RFC 8259, UTF-8). A name that is in an object twice is a fault: a parser would keep one of its values.
 * Integers beyond 2^53 become the nearest double, which is out of range either way.
 */
export const decodeJson: Decoder = Object.assign(decode, jsonLayout);

function decode(value: Uint8Array): Decoded {
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
  const repeated = repeatedName(text, parsed);
  if (repeated !== null) return malformed(`${shownName(repeated)} is in it twice`);
  return { candidate: parsed as Candidate };
}

/** A name that is no field's may hold anything, a subscriber's number too. */
function shownName(name: string): string {
  return isFieldName(name) || (/^[a-z_][\w.-]{0,39}$/i.test(name) && !/\d{4}/.test(name)) ? name : 'a name of no field';
}

function malformed(detail: string): Decoded {
  return { fault: { reason: 'malformed', detail } };
}
