/** The candidate that the word was probably meant to be, or null if none is close: about one slip in three letters. */
export function nearestWord(word: string, candidates: Iterable<string>): string | null {
  let nearest: string | null = null;
  let nearestSlips = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const slips = countSlips(word.toLowerCase(), candidate.toLowerCase());
    if (slips < nearestSlips) {
      nearest = candidate;
      nearestSlips = slips;
    }
  }
  return nearest;
}

/** ` (did you mean "x"?)`, or nothing. */
export function suggestion(word: string, candidates: Iterable<string>): string {
  const nearest = nearestWord(word, candidates);
  return nearest === null ? '' : ` (did you mean ${JSON.stringify(nearest)}?)`;
}

/** Letters inserted, dropped, replaced or swapped with their neighbour (optimal string alignment). */
function countSlips(from: string, to: string): number {
  // A long word that cannot be near costs no time.
  if (Math.abs(from.length - to.length) > from.length / 3 + 1) return Number.POSITIVE_INFINITY;
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = last[column - 1] + (from[row - 1] === to[column - 1] ? 0 : 1);
      let slips = Math.min(replaced, last[column] + 1, current[column - 1] + 1);
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (swapped) slips = Math.min(slips, beforeLast[column - 2] + 1);
      current.push(slips);
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length];
}
