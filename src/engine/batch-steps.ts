import { type Attributes, ROOT_CONTEXT, type Span, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import type { Clock } from '../platform/clock.ts';

/** What is done with a batch, in this order. */
export const BATCH_STEPS = ['read', 'rate', 'encode', 'insert', 'publish'] as const;
export type BatchStep = (typeof BATCH_STEPS)[number];

/** `fenced`: another batch is in its place. `unpublished`: it is booked, and its quota updates must be derived again. */
type BatchEnd = 'booked' | 'fenced' | 'failed' | 'unpublished' | 'forgotten';

/**
 * The steps of one batch: how long each of them took, and a span of the batch with a child for each step. A tracer that
 * records nothing makes spans that cost nothing.
 */
export class BatchSteps {
  /** Milliseconds, of the steps that have ended. */
  readonly durationMs: Partial<Record<BatchStep, number>> = {};
  /** Milliseconds that the batch rested before a step. */
  readonly waitedMs: Partial<Record<BatchStep, number>> = {};
  readonly #tracer: Tracer;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #span: Span;
  #current: { step: BatchStep; span: Span; sinceMs: number } | null = null;
  #restsSinceMs: number | null = null;

  constructor(lane: string, tracer: Tracer, clock: Pick<Clock, 'monotonicMs'>) {
    this.#tracer = tracer;
    this.#clock = clock;
    this.#span = tracer.startSpan('batch', { attributes: { 'zerorate.lane': lane } }, ROOT_CONTEXT);
    this.next('read');
  }

  /** The current step ends, and this one begins. */
  next(step: BatchStep): void {
    const sinceMs = this.#clock.monotonicMs();
    if (this.#restsSinceMs !== null) this.waitedMs[step] = sinceMs - this.#restsSinceMs;
    this.rest();
    this.#restsSinceMs = null;
    const span = this.#tracer.startSpan(step, {}, trace.setSpan(ROOT_CONTEXT, this.#span));
    this.#current = { step, span, sinceMs };
  }

  /** The current step ends; the batch waits. */
  rest(): void {
    if (this.#current === null) return;
    const { step, span, sinceMs } = this.#current;
    this.#restsSinceMs = this.#clock.monotonicMs();
    this.durationMs[step] = this.#restsSinceMs - sinceMs;
    span.end();
    this.#current = null;
  }

  describe(attributes: Attributes): void {
    this.#span.setAttributes(attributes);
  }

  end(outcome: BatchEnd, error?: unknown): void {
    if (error !== undefined) {
      const message = error instanceof Error ? error.message : String(error);
      (this.#current?.span ?? this.#span).setStatus({ code: SpanStatusCode.ERROR, message });
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message });
    }
    this.rest();
    this.#span.setAttribute('zerorate.outcome', outcome);
    this.#span.end();
  }
}
