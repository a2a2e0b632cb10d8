import { type SecondCharge, SecondComputation, secondRules } from '../assurance/audit/second-computation.ts';
import { memorySource, PSEUDONYM_KEY, runEngine } from '../engine/engine.fixture.ts';
import { encodeGeneratedJson } from '../generator/encode-text.ts';
import { generateRecords } from '../generator/generate-records.ts';
import type { Store } from '../platform/clickhouse/store.ts';
import { LogRecord } from '../platform/kafka/log-record.ts';
import type { Catalogue } from '../rating/catalogue.ts';
import { decodeJson } from '../rating/decode/decode-json.ts';
import { readRecord } from '../rating/pipeline.ts';
import { NO_FACTS } from '../rating/rules.ts';
import { endOfMonthMs, type Month, startOfMonthMs } from './month.ts';

const PARTITIONS = 2;
const WINDOW = 1000;

export interface Message {
  key: string;
  value: string;
}

/** Returns the traffic of a month from a seed, with late, repeated and malformed records. */
export function recordsOf(catalogue: Catalogue, month: Month, seed: number, records: number): Message[] {
  const generated = generateRecords({
    seed,
    records,
    subscribers: 300,
    targets: catalogue.applications,
    startTimeMs: startOfMonthMs(month),
    endTimeMs: endOfMonthMs(month),
    tagged: 0.9,
    ipMatched: 0,
    unmatched: 0.1,
    late: 0.05,
    duplicate: 0.01,
    malformed: 0.01,
    duplicateWindow: 300,
    oversizedOctets: 2000,
  });
  return [...generated].map((each) => ({
    key: each.kind === 'malformed' ? each.key : each.record.servedMsisdn,
    value: encodeGeneratedJson(each),
  }));
}

/** Books messages through the engine, and computes each charge a second time, in big integers. */
export class YearBooker {
  readonly #store: Store;
  readonly #catalogue: Catalogue;
  readonly #rules: ReturnType<typeof secondRules>;
  readonly #lanes = Array.from({ length: PARTITIONS }, () => ({
    computation: new SecondComputation({ pseudonymKey: PSEUDONYM_KEY, duplicateWindowRecords: WINDOW }),
    next: 0,
  }));

  constructor(store: Store, catalogue: Catalogue) {
    this.#store = store;
    this.#catalogue = catalogue;
    this.#rules = secondRules(catalogue.canonicalJson, NO_FACTS);
  }

  async book(
    messages: readonly Message[],
    timestampMs: number,
    onCharge: (charge: SecondCharge, octets: bigint) => void,
  ): Promise<void> {
    for (const [partition, lane] of this.#lanes.entries()) {
      const own = messages.filter(({ key }) => key.charCodeAt(key.length - 1) % PARTITIONS === partition);
      const logged = own.map(({ key, value }, index) =>
        LogRecord.of({ offset: lane.next + index, timestampMs, key: Buffer.from(key), value: Buffer.from(value) }),
      );
      for (const { offset, value } of logged) {
        const record = readRecord({ value, oversizedOctets: 0 }, decodeJson);
        const { charge } = lane.computation.compute(offset, record, this.#rules);
        if (charge === null || 'reason' in record) continue;
        onCharge(charge, BigInt(record.uplinkOctets) + BigInt(record.downlinkOctets));
      }
      lane.next += logged.length;
      const source = memorySource({ topic: 'flows', partition, lane: `flows-${partition}` }, logged, 5000);
      await runEngine({ store: this.#store, source, catalogue: this.#catalogue, maxRecords: 20_000 });
    }
  }
}
