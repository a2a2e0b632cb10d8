/** A word or phrase that says in a private dialect what the field has a name for. */
interface BannedWord {
  /** On whole words, in any case. */
  pattern: RegExp;
  write: string;
}

const word = (pattern: string, write: string): BannedWord => ({
  pattern: new RegExp(String.raw`(?<![\w-])(?:${pattern})(?![\w-])`, 'giu'),
  write,
});

/** Of style.md: what its glossary lists as today's word, and what to write instead. Each has no sound use in these texts. */
const BANNED_WORDS: readonly BannedWord[] = [
  word('anew', 'again; re-rated, recreated, rebuilt'),
  word(
    'nobody|somebody|someone|whoever|whomever|no one',
    'the process, operator or user that is meant; or the passive',
  ),
  word('stands?|stood|standing', 'is, is in; current; its state'),
  word('mends?|mended|mending|heals?|healed', 'fix, fixed (a bug); correct, corrected (a record)'),
  word('outruns?|outran|fenced off', 'fenced'),
  word('doors?|doorways?', 'endpoint, interface, listener, ingress'),
  word('tells?|told|telling', 'notify, report, publish, return; distinguish; say'),
  word('believes?|believed|believing', 'validate, accept; unvalidated'),
  word('clerks?', 'component, package'),
  word('(?:has|have|had) (?:its|their|his) say', 'decides'),
  word('goes on|go on|going on|went on|gone on', 'continue'),
  word('at hand', 'available'),
  word('(?:held|holds?|holding)(?: \\S+){0,4} against', 'compare with; check that they are equal'),
  word('holds? (?:them|it|these|both) together', 'check that they are equal'),
  word('has to be assigned again', 'must be reassigned'),
  word('brought the store up to date', 'applied schema migrations'),
  word('starting again from what the journal says', 'restarting from the last committed journal state'),
  word('is no good|are no good|was no good', 'is invalid'),
  word('(?:may|might|would|could|who|that) well (?:have|be) dead', 'has failed'),
  word('struck', 'hit by a fault'),
  word('adorn\\w*', 'decorate'),
  word('surroundings', 'dependencies'),
];

/** The words of an identifier or file name, apart: `markAnew` is `mark Anew`. */
export function wordsOf(name: string): string {
  return name.replaceAll(/(?<=[a-z\d])(?=[A-Z])|[_$#.-]+/g, ' ');
}

export interface Finding {
  word: string;
  write: string;
  offset: number;
}

/** The banned words of a text, in their order. */
export function bannedWords(text: string): Finding[] {
  return BANNED_WORDS.flatMap(({ pattern, write }) =>
    [...text.matchAll(pattern)].map((match) => ({ word: match[0], write, offset: match.index })),
  ).sort((a, b) => a.offset - b.offset);
}
