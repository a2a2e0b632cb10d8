import { setTimeout as pause } from 'node:timers/promises';

const GIVE_UP_AFTER_MS = 60_000;
const RETRY_MS = 300;

/**
 * A lane's batches in order, each beside the one before it: a number that is missing or occurs twice, or a `prev` that is
 * not the last offset of the batch before.
 */
const BREAKS = `
SELECT lane, lane_sequence, sequence_before, prev, offset_before FROM (
  SELECT lane, lane_sequence, prev,
    lagInFrame(lane_sequence, 1, 0) OVER lane_order AS sequence_before,
    lagInFrame(offset, 1, toInt64(-1)) OVER lane_order AS offset_before
  FROM journal WHERE kind = 'batch'
  WINDOW lane_order AS (PARTITION BY lane ORDER BY lane_sequence, offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
) WHERE lane_sequence != sequence_before + 1 OR prev != offset_before
ORDER BY lane, lane_sequence LIMIT 20 FORMAT JSONCompactEachRow`;

const CURSORS = `
SELECT partition, max(offset), count(), sum(records_read) FROM journal WHERE kind = 'batch'
GROUP BY partition ORDER BY partition FORMAT JSONCompactEachRow`;

/** The totals of a partition's batches. */
export interface LaneTotals {
  partition: number;
  cursor: number;
  batches: number;
  records: number;
}

/** Queries the journal directly at ClickHouse, without the proxies. */
export class JournalWatch {
  readonly #url: string;
  readonly #known = new Set<string>();

  constructor(url: string, database: string) {
    this.#url = `${url}/?database=${database}&output_format_json_quote_64bit_integers=0`;
  }

  /** Returns breaks in the chains of batches since the last call; at most 20. */
  async newBreaks(): Promise<string[]> {
    const rows = await this.#rows<[string, number, number, number, number]>(BREAKS);
    const breaks = rows.map(
      ([lane, sequence, sequenceBefore, prev, offsetBefore]) =>
        `${lane}: batch ${sequence} (prev ${prev}) comes after batch ${sequenceBefore} (last offset ${offsetBefore})`,
    );
    const news = breaks.filter((text) => !this.#known.has(text));
    for (const text of news) this.#known.add(text);
    return news;
  }

  async lanes(): Promise<LaneTotals[]> {
    const rows = await this.#rows<[number, number, number, number]>(CURSORS);
    return rows.map(([partition, cursor, batches, records]) => ({ partition, cursor, batches, records }));
  }

  /** Returns whether a part cannot be read: a merge on a full disk may leave an empty one. */
  async isDamaged(): Promise<boolean> {
    const response = await fetch(this.#url, { method: 'POST', body: 'SELECT * FROM journal FORMAT Null' });
    return !response.ok && /Code: 246\b/.test(await response.text());
  }

  async command(sql: string): Promise<void> {
    await this.#ask(sql);
  }

  async #rows<T>(sql: string): Promise<T[]> {
    const text = await this.#ask(sql);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  /** Queries; while an overlapping fault has the store down, it waits. */
  async #ask(sql: string): Promise<string> {
    const giveUpAtMs = performance.now() + GIVE_UP_AFTER_MS;
    for (;;) {
      try {
        const response = await fetch(this.#url, { method: 'POST', body: sql });
        const text = await response.text();
        if (response.ok) return text;
        throw new Error(text);
      } catch (error) {
        if (performance.now() > giveUpAtMs) throw error;
        await pause(RETRY_MS);
      }
    }
  }
}
