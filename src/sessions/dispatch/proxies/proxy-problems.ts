import { ProblemLog } from '../../../platform/telemetry/problem-log.ts';
import type { DispatchContext } from '../context.ts';

const logs = new WeakMap<DispatchContext['proxies'], Map<string, ProblemLog>>();

/** The log of what keeps a proxy from taking announcements: one line when that begins, however often it is tried. */
export function proxyProblems({ proxies, logger }: DispatchContext, proxyId: string): ProblemLog {
  const own = logs.get(proxies) ?? new Map<string, ProblemLog>();
  logs.set(proxies, own);
  const log = own.get(proxyId) ?? new ProblemLog(`proxy ${proxyId}`, logger);
  own.set(proxyId, log);
  return log;
}
