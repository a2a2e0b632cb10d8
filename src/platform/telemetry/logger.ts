import { destination, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import { redactedForLog } from './redaction.ts';

export type { Logger };

export interface LogConfig {
  level: string;
  format: 'json' | 'pretty';
}

/** Logs on standard error, so that standard output holds results only. Nothing logs an MSISDN, IMSI or terminal's address. */
export function createLogger({ level, format }: LogConfig): Logger {
  const stream = format === 'pretty' ? pretty({ destination: 2, sync: true }) : destination({ dest: 2, sync: true });
  return loggerOn(level, stream);
}

/** The same on a stream of the caller's. */
export function loggerOn(level: string, stream: { write(line: string): void }): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    // An error is a plain object by then.
    serializers: { err: (error: unknown) => error },
    hooks: {
      logMethod(this: Logger, [first, ...rest]: Parameters<pino.LogFn>, method: pino.LogFn) {
        const fields = (first as unknown) instanceof Error ? { err: first } : first;
        method.apply(this, [fields, ...rest].map((part) => redactedForLog(part)) as Parameters<pino.LogFn>);
      },
    },
  };
  return pino(options, stream);
}
