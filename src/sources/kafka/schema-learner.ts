import { setTimeout as pause } from 'node:timers/promises';
import type { KafkaLogger } from '../../platform/kafka/kafka.ts';
import { RegistryError } from '../../platform/kafka/registry-error.ts';
import type { SchemaIds } from '../../platform/kafka/schema-registry.ts';
import { haveSameMeaning } from '../../rating/decode/avro-canonical-form.ts';
import { type AvroDecoder, type AvroSchema, NO_ID } from '../../rating/decode-avro.ts';

/** A schema that was registered a moment ago may not have reached the registry that is asked. */
const SECOND_LOOK_MS = 1000;
/** So long an id stays unknown before the registry is asked again. */
const UNKNOWN_MS = 10_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2000;

export interface SchemaLearnerOptions {
  registry: SchemaIds;
  decoder: AvroDecoder;
  /** Keeps a schema where records are booked, before any is decoded with it. Gives the one that is kept for the id. */
  keep: (id: number, document: string) => Promise<string>;
  logger: KafkaLogger;
  /** Called whenever it changes: what keeps records from being decoded; null when nothing does. */
  onProblem?: ((problem: string | null) => void) | undefined;
}

/**
 * Teaches the decoder the schemas of ids that it does not know, from the registry. A registry that does not answer is waited
 * for: no record is rejected because of it.
 */
export class SchemaLearner {
  readonly #options: SchemaLearnerOptions;
  /** By id: until when it counts as unknown to the registry. */
  readonly #unknownUntilMs = new Map<number, number>();
  readonly #asking = new Map<number, Promise<void>>();
  #secondLookFromMs = 0;

  constructor(options: SchemaLearnerOptions) {
    this.#options = options;
  }

  /** The id that has to be learnt before the record in [start, end) is decoded; NO_ID if none. */
  missingIdOf(octets: Uint8Array, start: number, end: number): number {
    const id = this.#options.decoder.unknownIdOf(octets, start, end);
    return id === NO_ID || performance.now() < (this.#unknownUntilMs.get(id) ?? 0) ? NO_ID : id;
  }

  /**
   * Resolves when the id is learnt, or known to be unknown, or no longer waited for. Rejects when the registry refuses
   * this client, or has changed the schema of the id.
   */
  async learn(id: number, isOver: () => boolean): Promise<void> {
    const { logger, onProblem } = this.#options;
    for (let delayMs = FIRST_RETRY_MS; !isOver(); delayMs = Math.min(delayMs * 2, LAST_RETRY_MS)) {
      try {
        await this.#ask(id);
        if (delayMs > FIRST_RETRY_MS) onProblem?.(null);
        return;
      } catch (error) {
        if (!(error instanceof RegistryError && error.canRetry)) throw error;
        logger.warn({ err: error, schemaId: id }, 'waiting for the schema registry');
        onProblem?.(error.message);
        await pause(delayMs);
      }
    }
  }

  /** Lanes that wait for the same id ask once. */
  #ask(id: number): Promise<void> {
    let asking = this.#asking.get(id);
    if (asking === undefined) {
      asking = this.#askRegistry(id).finally(() => this.#asking.delete(id));
      this.#asking.set(id, asking);
    }
    return asking;
  }

  async #askRegistry(id: number): Promise<void> {
    const { registry, decoder, keep, logger } = this.#options;
    const document = (await registry.schemaOf(id)) ?? (await this.#secondLook(id));
    if (document === null) {
      this.#rememberUnknown(id);
      logger.warn({ schemaId: id }, 'the schema registry has no schema of this id: its records are rejected');
      return;
    }
    const kept = await keep(id, document);
    if (!haveSameMeaning(kept, document)) throw changed(id);
    decoder.learn(id, JSON.parse(kept) as AvroSchema);
    logger.info({ schemaId: id }, 'learnt a schema');
  }

  /** Now and then only: a stream of damaged headers must not be waited for one by one. */
  async #secondLook(id: number): Promise<string | null> {
    const nowMs = performance.now();
    if (nowMs < this.#secondLookFromMs) return null;
    this.#secondLookFromMs = nowMs + UNKNOWN_MS;
    await pause(SECOND_LOOK_MS);
    return this.#options.registry.schemaOf(id);
  }

  #rememberUnknown(id: number): void {
    const nowMs = performance.now();
    for (const [known, untilMs] of this.#unknownUntilMs) if (untilMs < nowMs) this.#unknownUntilMs.delete(known);
    this.#unknownUntilMs.set(id, nowMs + UNKNOWN_MS);
  }
}

function changed(id: number): RegistryError {
  return new RegistryError(
    'schema_changed',
    `schema ${id}: the schema registry has another schema under this id than the one that records were booked with ` +
      '(table writer_schemas); a registry that was recreated gives new ids: restore its ids, or read a new topic',
  );
}
