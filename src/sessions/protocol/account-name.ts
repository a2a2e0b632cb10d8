/** Most characters (UTF-16) of an account. */
export const MAX_ACCOUNT_LENGTH = 255;

/** Control, format, private, unassigned and invisible characters, and line and paragraph separators. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
const OTHER_SPACE = /(?! )\p{Zs}/u;

/**
 * Why a text is no name of an account; null when it is one. An account has exactly one spelling: a name that is not in
 * Unicode normal form NFKC, or holds invisible characters, is refused and not repaired (as RFC 8264, IdentifierClass), because two
 * spellings of one name would be two accounts here and one account for people who read it. Names are compared octet by octet.
 */
export function accountNameFault(text: string): string | null {
  if (text.length === 0) return 'an account is not empty';
  if (text.length > MAX_ACCOUNT_LENGTH) return `an account has at most ${MAX_ACCOUNT_LENGTH} characters`;
  if (UNSEEN.test(text)) return 'an account has no control characters and no invisible ones';
  if (text.startsWith(' ') || text.endsWith(' ') || OTHER_SPACE.test(text)) {
    return 'an account does not begin or end with a space and has no other white space than spaces';
  }
  if (text !== text.normalize('NFKC')) return 'an account is in Unicode normal form NFKC';
  return null;
}
