import { ClickHouseJournal } from '../../journal/clickhouse-journal.ts';
import { int64Column } from '../../platform/clickhouse/native-block.ts';
import { type Store, StoreError } from '../../platform/clickhouse/store.ts';
import type { Clock } from '../../platform/clock.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { documentOf } from '../../rating/prepared-catalogue.ts';
import type { Rules } from '../../rating/rules.ts';
import { bookFact } from '../book-fact.ts';
import type { BookedSource } from './booked-source.ts';
import { type CorrectionHead, CorrectionRows } from './correction-rows.ts';
import {
  type BookedCorrection,
  type CorrectionRequest,
  differsIn,
  lastClosedMonth,
  overlaps,
  readCorrections,
  readLaneEnds,
  readOpenFromDay,
} from './corrections.ts';
import type { Difference } from './difference.ts';
import { type ReratingWatch, rerate, sponsorIn } from './rerate.ts';
import { type LeftOut, rerateFromSource } from './rerate-from-source.ts';

const DAY_MS = 86_400_000;

export type CorrectionResult =
  /** `changes` records were reversed and charged again. */
  | { outcome: 'booked'; number: number; changes: number; difference: Difference; leftOut: LeftOut | null }
  /** The catalogue changes no charge: nothing was booked, and the name is still free. */
  | { outcome: 'unchanged'; difference: Difference; leftOut: LeftOut | null }
  /** The correction of this name, with the same content, was booked before. */
  | { outcome: 'repeated'; number: number }
  /** The rows that were read have changed since: nothing was booked. */
  | { outcome: 'fenced'; by: BookedCorrection | 'closing' };

export interface CorrectionOptions extends Pick<ReratingWatch, 'onProgress'> {
  /** Opens where the records are read again, if the name is still free; absent: only current charges are re-rated. */
  openSource?: () => Promise<BookedSource>;
}

/**
 * Rates a selection again and books the changes as one correction: one block, by compare-and-swap on the number of the last
 * correction when the rows were read. A correction is open from then until it is booked. Of two open ones with common
 * records the second is fenced, and must be computed again from the current charges. Others only take the next number.
 *
 * Throws a ConfigError where the name has other content, and what `rerate` and `rerateFromSource` throw.
 */
export async function bookCorrection(
  store: Store,
  rules: Rules,
  request: CorrectionRequest,
  clock: Clock,
  { openSource, ...watch }: CorrectionOptions = {},
): Promise<CorrectionResult> {
  const asked = { ...request, isFromSource: openSource !== undefined };
  const before = await readCorrections(store);
  const repeated = before.find(({ name }) => name === request.name);
  if (repeated !== undefined) return sameCorrection(repeated, asked, rules);
  const { openFromDay, lastClosed } = await readOpenFromDay(store, request.sponsorId);
  // Read before the charges, so that no charge before these ends is left out.
  const laneEnds = await readLaneEnds(store);

  const changes = new CorrectionRows(openFromDay);
  const onChange: ReratingWatch['onChange'] = (...change) => changes.take(...change);
  const source = openSource === undefined ? null : await openSource();
  const { difference, leftOut, logs } =
    source === null
      ? { difference: await rerate(store, rules, request, { ...watch, onChange }), leftOut: null, logs: [] }
      : await rerateFromSource(store, rules, request, source, { ...watch, onChange });
  if (changes.count === 0) return { outcome: 'unchanged', difference, leftOut };

  const { catalogue } = rules;
  await new ClickHouseJournal(store).keepCatalogue({ hash: catalogue.hash, document: documentOf(catalogue) });
  const readThrough = laneEnds.filter(({ lane }) => source === null || source.hasLane(lane));
  const head = { ...headOf(request, rules, clock.nowMs()), readLogs: logs, readThrough };
  const { rows, columns } = changes.finish(head);
  for (let last = before.at(-1)?.number ?? 0; ; ) {
    const number = last + 1;
    const guard = `${lastClosedMonth(request.sponsorId)} != ${lastClosed}`;
    const numbered = [int64Column('number', 'UInt64', new Float64Array(rows).fill(number)), ...columns];
    const fact = { table: 'corrections', number, columns: numbered, rows, guard } as const;
    if ((await bookFact(store, fact, undefined, clock)) === 'booked') {
      return { outcome: 'booked', number, changes: changes.count, difference, leftOut };
    }
    if ((await readOpenFromDay(store, request.sponsorId)).lastClosed !== lastClosed)
      return { outcome: 'fenced', by: 'closing' };
    const since = await readCorrections(store, last);
    for (const rival of since) {
      if (rival.name === request.name) return sameCorrection(rival, asked, rules);
      if (overlaps(rival, asked)) return { outcome: 'fenced', by: rival };
    }
    const newest = since.at(-1);
    if (newest === undefined) {
      throw new StoreError('store_broken', `correction ${number} was refused, and no correction has this number`);
    }
    last = newest.number;
  }
}

function headOf(
  { name, who, why, sponsorId, range }: CorrectionRequest,
  { catalogue }: Rules,
  nowMs: number,
): Omit<CorrectionHead, 'readLogs' | 'readThrough'> {
  return {
    correction: name,
    who,
    why,
    catalogueHash: catalogue.hash,
    sponsorId,
    currency: sponsorIn(catalogue, sponsorId).currency,
    ...range,
    bookingDay: Math.floor(nowMs / DAY_MS),
    bookedAtMs: nowMs,
  };
}

function sameCorrection(
  booked: BookedCorrection,
  asked: Parameters<typeof differsIn>[1],
  rules: Rules,
): CorrectionResult {
  const others = differsIn(booked, asked, rules.catalogue.hash);
  if (others.length === 0) return { outcome: 'repeated', number: booked.number };
  throw new ConfigError(
    `correction ${booked.number} is also named ${JSON.stringify(asked.name)}, but differs in ${others.join(', ')}: ` +
      'give this one another name with --name',
  );
}
