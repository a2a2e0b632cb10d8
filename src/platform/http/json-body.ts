const MAX_DEPTH = 16;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Returns whether JSON text opens more than 16 arrays and objects within each other; no message has more than 5. */
export function isTooDeep(text: Uint8Array, maxDepth = MAX_DEPTH): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const octet = text[at];
    if (inString) {
      if (octet === BACKSLASH) at++;
      else if (octet === QUOTE) inString = false;
    } else if (octet === QUOTE) inString = true;
    else if (octet === OPEN_ARRAY || octet === OPEN_OBJECT) {
      if (++depth > maxDepth) return true;
    } else if (octet === CLOSE_ARRAY || octet === CLOSE_OBJECT) depth--;
  }
  return false;
}
