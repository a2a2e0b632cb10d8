// Fatal: a byte that is no UTF-8 must not become a U+FFFD in a name. A byte order mark is dropped.
const strict = new TextDecoder('utf-8', { fatal: true });

/** The text that the octets spell in UTF-8; null if they are not UTF-8. */
export function utf8Text(octets: Uint8Array): string | null {
  try {
    return strict.decode(octets);
  } catch {
    return null;
  }
}

const exact = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const ASCII = 0x7f;

/** The same of a value within a record: a byte order mark is a character of it. */
export function utf8Value(octets: Buffer, start: number, end: number): string | null {
  let all = 0;
  for (let at = start; at < end; at++) all |= octets[at] as number;
  if (all <= ASCII) return octets.toString('latin1', start, end);
  try {
    return exact.decode(octets.subarray(start, end));
  } catch {
    return null;
  }
}
