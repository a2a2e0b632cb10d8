import assert from 'node:assert/strict';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { createKafka, type KafkaLogger, type KafkaOptions } from '../platform/kafka/kafka.ts';
import { errorOf, type PlainError, plainError } from '../platform/plain-error.ts';
import { type QuotaUpdateHead, QuotaUpdates } from '../rating/quota-updates.ts';
import { type QuotaPublisher, QuotaPublisherError } from './journal.ts';
import { type KafkaQuotaPublisherOptions, kafkaQuotaPublisher } from './quota-publisher-kafka.ts';

/** What the thread makes its publisher from. It has a client of its own. */
export interface PublisherThreadOptions extends Omit<KafkaQuotaPublisherOptions, 'kafka' | 'logger'> {
  kafka: Omit<KafkaOptions, 'logger'>;
}

const PROGRAM = new URL('./quota-publisher-main.js', import.meta.url);

/**
 * The publisher of Kafka in a thread of its own: encoding and sending a batch's quota updates takes a quarter of the work
 * that the batch is, and none of it needs the engine's memory. The thread takes the updates' memory: they are of no use to
 * the caller afterwards. `program` is what the thread runs, where that is not beside this module.
 */
export function threadedQuotaPublisher(
  options: PublisherThreadOptions & { logger: KafkaLogger; program?: string | URL },
): QuotaPublisher {
  const { logger, program = PROGRAM, ...threadOptions } = options;
  let thread: PublisherThread | null = null;
  let isStopped = false;
  const ask = (call: PublisherCall, memory: ArrayBuffer[] = []) => {
    // What an engine that is ending still calls must begin no thread, which nothing would end.
    if (isStopped) return Promise.reject(publisherStopped());
    thread ??= new PublisherThread(program, threadOptions, logger);
    return thread.ask(call, memory);
  };
  const end = async () => {
    const ending = thread;
    thread = null;
    await ending?.end();
  };
  return {
    async start() {
      try {
        await ask({ name: 'start' });
      } catch (error) {
        // What did not start needs no stop.
        await end();
        throw error;
      }
    },
    async claim(lane, signal) {
      const abandon = () => void ask({ name: 'abandon', lane }).catch(() => {});
      signal?.addEventListener('abort', abandon, { once: true });
      try {
        await ask({ name: 'claim', lane });
      } finally {
        signal?.removeEventListener('abort', abandon);
      }
    },
    async publish(lane, updates) {
      if (updates.length === 0) return;
      const columns = columnsOf(updates);
      await ask({ name: 'publish', lane, updates: columns }, memoryOf(columns));
    },
    stop() {
      isStopped = true;
      return end();
    },
  };
}

/** The thread, and who waits for its answers. */
class PublisherThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve: () => void; reject: (error: unknown) => void }>();
  #calls = 0;
  #broken: Error | null = null;

  constructor(program: string | URL, options: PublisherThreadOptions, logger: KafkaLogger) {
    this.#worker = new Worker(program, { workerData: options });
    this.#worker.on('message', (answer: PublisherAnswer) => {
      if ('level' in answer) logger[answer.level](answer.fields, answer.message);
      else this.#settle(answer.number, answer.fault === null ? null : errorOf(answer.fault));
    });
    this.#worker.on('error', (error) => this.#break(error));
    this.#worker.on('exit', () => this.#break(new Error("the quota publisher's thread has ended")));
  }

  ask(call: PublisherCall, memory: ArrayBuffer[]): Promise<void> {
    if (this.#broken !== null) return Promise.reject(this.#broken);
    const number = this.#calls++;
    const answered = new Promise<void>((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
    });
    this.#worker.postMessage({ number, call } satisfies NumberedCall, memory);
    return answered;
  }

  async end(): Promise<void> {
    try {
      // What is broken has said so to its callers, and has nothing to stop.
      if (this.#broken === null) await this.ask({ name: 'stop' }, []);
    } finally {
      await this.#worker.terminate();
    }
  }

  #settle(number: number, error: Error | null): void {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (error === null) waiting?.resolve();
    else waiting?.reject(error);
  }

  #break(error: Error): void {
    this.#broken ??= error;
    for (const number of [...this.#waiting.keys()]) this.#settle(number, this.#broken);
  }
}

function publisherStopped(): QuotaPublisherError {
  const message = 'the quota publisher has been stopped: the next run derives what is not published';
  return new QuotaPublisherError('claim_lost', message, { cause: undefined, canRetry: true });
}

function columnsOf(updates: QuotaUpdates): QuotaUpdateColumns {
  const { heads, length, head, subscriber, usedOctets, remainingOctets, thresholdReached, offset } = updates;
  return { heads, length, head, subscriber, usedOctets, remainingOctets, thresholdReached, offset };
}

function memoryOf(columns: QuotaUpdateColumns): ArrayBuffer[] {
  return Object.values(columns).flatMap((column) => (ArrayBuffer.isView(column) ? [column.buffer as ArrayBuffer] : []));
}

/** The columns of `QuotaUpdates`, as they go from thread to thread: the memory goes along and is not copied. */
type QuotaUpdateColumns = { heads: readonly QuotaUpdateHead[]; length: number } & Pick<
  QuotaUpdates,
  'head' | 'subscriber' | 'usedOctets' | 'remainingOctets' | 'thresholdReached' | 'offset'
>;

/** What the engine's thread asks the publisher's thread for. */
type PublisherCall =
  | { name: 'start' | 'stop' }
  | { name: 'claim' | 'abandon'; lane: string }
  | { name: 'publish'; lane: string; updates: QuotaUpdateColumns };

/** A call is answered under its number. */
interface NumberedCall {
  number: number;
  call: PublisherCall;
}

type PublisherAnswer =
  | { number: number; fault: PlainError | null }
  | { level: 'debug' | 'info' | 'warn' | 'error'; fields: object; message: string };

/** Runs in the thread: performs the calls that come to it, and answers each under its number. */
export function runPublisherThread(): void {
  assert(parentPort, 'started by threadedQuotaPublisher');
  const port = parentPort;
  const answer = (message: PublisherAnswer) => port.postMessage(message);
  const line = (level: keyof KafkaLogger) => (fields: object, message: string) => answer({ level, fields, message });
  const logger: KafkaLogger = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  const { kafka, ...options } = workerData as PublisherThreadOptions;
  const publisher = kafkaQuotaPublisher({ ...options, kafka: createKafka({ ...kafka, logger }), logger });
  const claims = new Map<string, AbortController>();
  port.on('message', ({ number, call }: NumberedCall) => {
    perform(publisher, claims, call).then(
      () => answer({ number, fault: null }),
      (error) => answer({ number, fault: plainError(error) }),
    );
  });
}

/** `claims`: by lane, what ends its claim that is under way, or was last. */
async function perform(
  publisher: QuotaPublisher,
  claims: Map<string, AbortController>,
  call: PublisherCall,
): Promise<void> {
  switch (call.name) {
    case 'start':
      return publisher.start();
    case 'claim': {
      const claim = new AbortController();
      claims.set(call.lane, claim);
      return publisher.claim(call.lane, claim.signal);
    }
    case 'abandon':
      return claims.get(call.lane)?.abort(new Error(`${call.lane}: the claim is no longer needed`));
    case 'publish':
      return publisher.publish(call.lane, Object.assign(new QuotaUpdates(0), call.updates));
    case 'stop':
      return publisher.stop();
  }
}
