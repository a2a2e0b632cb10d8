import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { openStore } from '../../journal/open-store.ts';
import type { Config } from '../../platform/config/config.ts';
import { Health } from '../../platform/http/health.ts';
import { ENGINE_VERSION } from '../../platform/package-paths.ts';
import { plainError } from '../../platform/plain-error.ts';
import { type Logger, loggerOn } from '../../platform/telemetry/logger.ts';
import { startTracing, type Tracing } from '../../platform/telemetry/tracing.ts';
import type { Engine } from '../engine.ts';
import { unpackCatalogue, unpackCatalogueNow } from '../reload/packed-catalogue.ts';
import { assembleEngine, type DecorateParts, type EngineReports } from './assemble-engine.ts';
import { NO_TOTALS } from './run-totals.ts';
import { sendEvents, type ThreadCommand, type ThreadData, type ThreadReport, unpackSetup } from './thread-messages.ts';

type Send = (report: ThreadReport) => void;

/** Runs in a thread: one engine, from the data that the thread was started with, until its source ends or it is stopped. */
export async function runEngineThread(decorateParts?: DecorateParts): Promise<void> {
  assert(parentPort, 'started by EngineThread');
  const port = parentPort;
  const send: Send = (report) => port.postMessage(report);
  const { config, key, catalogue, acceptGaps } = unpackSetup(workerData as ThreadData);
  const logger = loggerOn(config.log.level, { write: (line) => send({ kind: 'log', line }) });
  let engine: Engine | null = null;
  const totals = () => engine?.totals ?? NO_TOTALS;
  const onHalt = (error: unknown) => send({ kind: 'halting', error: plainError(error), totals: totals() });
  try {
    const store = await openStore(config.store, { create: true });
    const tracing = await startThreadTracing(config, logger);
    try {
      const setup = { config, store, key, logger, acceptGaps, ...(decorateParts && { decorateParts }) };
      const reports = { ...reportsTo(send), events: sendEvents(send, totals), tracer: tracing?.tracer, onHalt };
      engine = assembleEngine(setup, reports, unpackCatalogueNow(catalogue));
      obey(engine, send);
      await engine.run();
    } catch (error) {
      onHalt(error);
      throw error;
    } finally {
      await tracing?.stop();
      await store.close();
    }
    send({ kind: 'ended', totals: totals() });
  } catch (error) {
    send({ kind: 'halted', error: plainError(error), totals: totals() });
  }
}

/** Commands that came before the engine was there are waiting in the port. */
function obey(engine: Engine, send: Send): void {
  parentPort?.on('message', (command: ThreadCommand) => {
    if (command.kind === 'stop') {
      void engine.stop();
      return;
    }
    void unpackCatalogue(command.catalogue).then((catalogue) => {
      engine.take(catalogue);
      send({ kind: 'taken' });
    });
  });
}

function reportsTo(send: Send): Omit<EngineReports, 'events' | 'tracer'> {
  return {
    health: new SentHealth(send),
    onRead: (progress) => send({ kind: 'read', progress }),
    onProgress: () => {},
    onBrokerAnswer: () => send({ kind: 'broker_answered' }),
  };
}

/** Spans are sent from where they end: each thread has an exporter. */
function startThreadTracing({ tracing }: Config, logger: Logger): Promise<Tracing | null> {
  return startTracing(tracing, process.env, ENGINE_VERSION, (error) =>
    logger.warn({ err: error }, 'the collector did not take spans; they are lost'),
  );
}

/** Sends what has changed. */
class SentHealth extends Health {
  readonly #send: Send;
  readonly #sent = new Map<string, string | null>();

  constructor(send: Send) {
    super();
    this.#send = send;
  }

  override report(part: string, problem: string | null): void {
    if (this.#sent.get(part) === problem) return;
    this.#sent.set(part, problem);
    this.#send({ kind: 'problem', part, problem });
  }
}
