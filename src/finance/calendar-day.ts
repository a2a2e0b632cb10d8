const DAY_MS = 86_400_000;

/** Returns a day (days since 1970-01-01) as `2026-10-01`. */
export function dayText(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** Returns the day of such a text; null when it is no day of 1970 to 2149-06-06, the last of a ClickHouse Date. */
export function parseDay(text: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return null;
  const timeMs = Date.parse(`${text}T00:00:00Z`);
  const day = timeMs / DAY_MS;
  // Some texts that are no day are parsed as another one: 2026-02-30.
  return Number.isNaN(timeMs) || day < 0 || day > 65_535 || dayText(day) !== text ? null : day;
}
