import { NO_ID } from '../billing/decode-avro.ts';
import type { LogRecord } from '../platform/log-record.ts';
import type { SchemaLearner } from './schema-learner.ts';

const END: IteratorResult<LogRecord> = { done: true, value: undefined };

/**
 * Records up to the first whose schema has to be learnt. After that was done they go on from there, so that nobody who takes
 * records has to wait in the middle of them.
 */
export class KnownRecords implements IterableIterator<LogRecord> {
  readonly #records: Iterator<LogRecord>;
  readonly #schemas: Pick<SchemaLearner, 'missingIdOf'>;
  #held: IteratorResult<LogRecord> | null = null;
  /** The id that has to be learnt; null where the records are at their end. */
  missingId: number | null = null;

  constructor(records: Iterator<LogRecord>, schemas: Pick<SchemaLearner, 'missingIdOf'>) {
    this.#records = records;
    this.#schemas = schemas;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<LogRecord> {
    const next = this.#held ?? this.#records.next();
    this.#held = null;
    this.missingId = null;
    if (next.done === true) return next;
    const { octets, valueStart, valueEnd } = next.value;
    const id = this.#schemas.missingIdOf(octets, valueStart, valueEnd);
    if (id === NO_ID) return next;
    this.#held = next;
    this.missingId = id;
    return END;
  }
}
