/** Orders texts by their UTF-16 code units, the same under every runtime and language: below 0, 0 or above 0. */
export function compareTexts(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The same, and texts that are whole numbers by their value. */
export function compareNumbered(left: string, right: string): number {
  const areNumbers = /^\d+$/.test(left) && /^\d+$/.test(right);
  return (areNumbers ? left.length - right.length : 0) || compareTexts(left, right);
}
