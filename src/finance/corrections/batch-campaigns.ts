import { CampaignFactReader } from '../../journal/campaign-facts.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { NO_FACTS, type Rules } from '../../rating/rules.ts';
import type { CurrentCharges } from './current-charges.ts';
import type { LogSpan } from './log-spans.ts';

/** The batches of a span of a log that name one campaign fact, one after the other. */
interface NamedFact {
  firstOffset: number;
  number: number;
}

/**
 * Rules with the campaign facts that the batch of a record was rated with: a campaign that was in force then is in force when the
 * record is re-rated. Without campaigns in the catalogue it asks the store nothing.
 */
export class CampaignRules {
  readonly #store: Store;
  readonly #rules: Rules;
  readonly #facts: CampaignFactReader;

  constructor(store: Store, rules: Rules) {
    this.#store = store;
    this.#rules = rules;
    this.#facts = new CampaignFactReader(store);
  }

  /** Returns the rules of each row of a span's charges. Rejects with a StoreError. */
  async of(span: LogSpan, { records }: Pick<CurrentCharges, 'records'>): Promise<(row: number) => Rules> {
    const rules = this.#rules;
    if (rules.campaigns === null) return () => rules;
    const named = await this.#named(span);
    const byNumber = new Map<number, Rules>();
    for (const number of new Set(named.map((fact) => fact.number).sort((a, b) => a - b))) {
      byNumber.set(number, rules.with({ ...NO_FACTS, campaigns: await this.#facts.asOf(number) }));
    }
    let at = 0;
    return (row) => {
      // Rows come in the order of their offsets.
      if (row === 0) at = 0;
      while (at + 1 < named.length && named[at + 1].firstOffset <= records.offset[row]) at++;
      return byNumber.get(named[at]?.number ?? 0) ?? rules;
    };
  }

  async #named({ lane, topic, partition, firstOffset, lastOffset }: LogSpan): Promise<NamedFact[]> {
    const rows = await this.#store.query<{ first: number; named: number }>(
      "SELECT first_offset AS first, campaign_number AS named FROM journal WHERE kind = 'batch' " +
        `AND lane = ${literal(lane)} AND topic = ${literal(topic)} AND partition = ${partition} ` +
        `AND offset >= ${firstOffset} AND first_offset <= ${lastOffset} AND gap_reason = '' ORDER BY first_offset`,
    );
    const all = rows.map(({ first, named }) => ({ firstOffset: Number(first), number: Number(named) }));
    return all.filter(({ number }, at) => number !== all[at - 1]?.number);
  }
}
