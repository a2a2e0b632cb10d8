import { destination, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

export type { Logger };

export interface LogConfig {
  level: string;
  format: 'json' | 'pretty';
}

/** Logs on standard error, so that standard output holds results only. Nothing logs an MSISDN or IMSI. */
export function createLogger({ level, format }: LogConfig): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: ['servedMsisdn', 'servedImsi', 'password', '*.servedMsisdn', '*.servedImsi', '*.password'],
  };
  const stream = format === 'pretty' ? pretty({ destination: 2, sync: true }) : destination({ dest: 2, sync: true });
  return pino(options, stream);
}
