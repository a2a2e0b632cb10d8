// Fatal: a byte that is no UTF-8 must not become a U+FFFD in somebody's name. A byte order mark is dropped.
const strict = new TextDecoder('utf-8', { fatal: true });

/** The text that the octets spell in UTF-8; null if they are not UTF-8. */
export function utf8Text(octets: Uint8Array): string | null {
  try {
    return strict.decode(octets);
  } catch {
    return null;
  }
}
