import type { Logger } from '../../platform/telemetry/logger.ts';
import type { KafkaProgress } from '../../sources/kafka/kafka-feed.ts';
import { EngineThread, type ReportWhileRunning } from './engine-thread.ts';
import type { RunObserver } from './observe-run.ts';
import type { EngineSuccession } from './run-until-end.ts';
import { RunningEngine } from './running-engine.ts';
import { packSetup, receiveEvent, type ThreadSetup } from './thread-messages.ts';
import { ThreadEvents, ThreadHealth } from './thread-observer.ts';

interface ThreadsOptions {
  observer: RunObserver;
  logger: Logger;
  onRead: (progress: KafkaProgress) => void;
  program: string | undefined;
}

/**
 * As many threads as the configuration says, each with an engine that is a member of the one consumer group: the group gives every
 * partition, and so every lane, to one of them. They report to this thread, which keeps log, metrics and health.
 */
export function engineThreads(setup: ThreadSetup, options: ThreadsOptions): EngineSuccession[] {
  const { observer, logger, program } = options;
  const data = packSetup(setup);
  const events = new ThreadEvents(observer.events);
  const health = new ThreadHealth(observer.health);
  return Array.from({ length: setup.config.engine.threads }, (_, thread) => {
    const own = { events: events.of(thread), health: health.of(thread) };
    const onReport = (report: ReportWhileRunning) => receiveReport(report, thread, own, options);
    return {
      thread,
      running: new RunningEngine(setup.catalogue),
      makeEngine: (catalogue) =>
        new EngineThread({ number: thread + 1, data: { ...data, catalogue }, onReport, logger, program }),
      onBegin() {
        events.releaseAll(thread);
        own.health.report('source', 'an engine thread is starting');
        own.health.report('engine', null);
      },
      onRestart: (error) => observer.restarting(error, own.health),
    };
  });
}

type OwnViews = { events: ReturnType<ThreadEvents['of']>; health: ReturnType<ThreadHealth['of']> };

function receiveReport(
  report: ReportWhileRunning,
  thread: number,
  { events, health }: OwnViews,
  options: ThreadsOptions,
): void {
  switch (report.kind) {
    case 'event':
      receiveEvent(report, events);
      break;
    case 'problem':
      health.report(report.part, report.problem);
      break;
    case 'read':
      options.onRead(report.progress);
      break;
    case 'broker_answered':
      options.observer.brokers?.answered();
      break;
    case 'log':
      writeLine(report.line, thread, options.logger);
  }
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

/** Writes a line of another thread's logger, with the time at which it came here. */
function writeLine(line: string, thread: number, logger: Logger): void {
  const { level, msg, time: _time, ...fields } = JSON.parse(line);
  logger[LEVELS.find((name) => name === level) ?? 'info']({ thread: thread + 1, ...fields }, msg);
}
