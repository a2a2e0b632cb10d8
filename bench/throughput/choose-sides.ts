import { findGo } from './go-side.ts';
import type { Skipped } from './report.ts';
import { SIDES, type Side } from './side.ts';

export interface ChosenSides {
  /** In their own order. */
  sides: readonly Side[];
  /** Those that were asked for and cannot run here. */
  skipped: readonly Skipped[];
  /** The Go command; null where no side needs it. */
  go: string | null;
}

/** Returns the sides of the names, as `a,b`. Throws where a name is unknown: a side is never left out without a line. */
export function chooseSides(names: string, find: () => string | null = findGo): ChosenSides {
  const asked = names.split(',');
  const known = SIDES.map(({ name }) => name);
  const unknown = asked.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`--sides: ${unknown.join(', ')}: expected some of ${known.join(', ')}`);
  const sides = SIDES.filter(({ name }) => asked.includes(name));
  if (!asked.includes('go')) return { sides, skipped: [], go: null };
  const go = find();
  if (go !== null) return { sides, skipped: [], go };
  const reason = 'Go is not installed here (https://go.dev/dl; the environment variable GO names its command)';
  return { sides: sides.filter(({ name }) => name !== 'go'), skipped: [{ name: 'go', reason }], go };
}
