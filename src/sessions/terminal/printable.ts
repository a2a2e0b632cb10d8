/** Joiners (U+200C, U+200D) are part of scripts and emoji. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]|(?![\u200c\u200d])\p{Cf}/gu;

/**
 * Returns the text with its control and format characters (C0, C1, bidirectional overrides, line separators) and lone
 * surrogates as `\\u{hex}`: what a peer sends can neither drive the terminal emulator nor imitate another line.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (found) => `\\u{${found.codePointAt(0)?.toString(16)}}`);
}
