import type { BerValue } from './ber-value.ts';

const CONTEXT_SPECIFIC = 0x80;
const CONSTRUCTED = 0x20;
const MAX_DEPTH = 32;
const MAX_TAG_OCTETS = 3;
const EMPTY = new Uint8Array(0);

/** Where the value ends that the octets begin with; null if there is none that ends within them. Never throws. */
export function berEnd(octets: Uint8Array): number | null {
  return valueAt(octets, 0, octets.length, 0)?.end ?? null;
}

interface Located {
  value: BerValue;
  end: number;
}

/**
 * The one value that fills the octets, where some values inside of it are damaged: such a value keeps its octets and has no
 * values. Null if the record itself is damaged. Never throws.
 */
export function readDamagedBer(octets: Uint8Array): BerValue | null {
  const located = valueAt(octets, 0, octets.length, 0);
  return located !== null && located.end === octets.length && located.value.values.length > 0 ? located.value : null;
}

function valueAt(octets: Uint8Array, start: number, end: number, depth: number): Located | null {
  const header = depth > MAX_DEPTH ? null : headerAt(octets, start, end);
  if (header === null) return null;
  const { tag, isConstructed, at, length } = header;
  if (length === null) {
    const inside = isConstructed ? valuesUntil(octets, at, end, depth + 1, true) : null;
    return inside === null ? null : { value: { tag, octets: EMPTY, values: inside.values }, end: inside.end };
  }
  const inside = isConstructed ? valuesUntil(octets, at, at + length, depth + 1, false) : null;
  if (inside !== null) return { value: { tag, octets: EMPTY, values: inside.values }, end: at + length };
  return { value: { tag, octets: octets.subarray(at, at + length), values: [] }, end: at + length };
}

function valuesUntil(octets: Uint8Array, start: number, end: number, depth: number, isIndefinite: boolean) {
  const values: BerValue[] = [];
  let at = start;
  while (at < end) {
    if (isIndefinite && octets[at] === 0 && octets[at + 1] === 0) return { values, end: at + 2 };
    const next = valueAt(octets, at, end, depth);
    if (next === null) return null;
    values.push(next.value);
    at = next.end;
  }
  return isIndefinite ? null : { values, end: at };
}

/** Tag and length; a length of null is indefinite. */
function headerAt(octets: Uint8Array, start: number, end: number) {
  let at = start;
  if (at >= end) return null;
  const first = octets[at++];
  let number = first & 31;
  if (number === 31) {
    number = 0;
    for (let more = true; more; at++) {
      if (at >= end || at - start > MAX_TAG_OCTETS) return null;
      number = number * 128 + (octets[at] & 127);
      more = octets[at] >= 128;
    }
  }
  if (at >= end) return null;
  const said = octets[at++];
  const lengthOctets = said > 128 ? said - 128 : 0;
  if (lengthOctets > 4 || at + lengthOctets > end) return null;
  let length = said < 128 ? said : 0;
  for (let i = 0; i < lengthOctets; i++) length = length * 256 + octets[at++];
  if (at + length > end) return null;
  const tag = (first & 0xc0) === CONTEXT_SPECIFIC ? number : -1;
  return { tag, isConstructed: (first & CONSTRUCTED) !== 0, at, length: said === 128 ? null : length };
}
