import { readFile } from 'node:fs/promises';
import { ConfigError } from '../../platform/config/config-error.ts';
import { type ReportedUsage, reportedUsageSchema } from '../../sessions/protocol/dispatch-messages.ts';

export interface ReportRange {
  fromMs: number;
  toMs: number;
}

/** The dispatch server did not return its reports. */
class ReportsError extends Error {
  readonly code = 'reports_unavailable';
  readonly canRetry = true;
}

/**
 * Returns the reports that start in the range: of a dispatch server, with the operator's secret, or of a file that was saved
 * from one. Each counts once. Rejects with a ConfigError for a line that is no report, with a ReportsError when the server
 * does not answer.
 */
export async function readReports(
  source: string,
  range: ReportRange,
  secret: string | undefined,
): Promise<ReportedUsage[]> {
  const isUrl = /^https?:\/\//.test(source);
  const text = isUrl ? await fetchReports(source, range, secret) : await readText(source);
  const byId = new Map<string, ReportedUsage>();
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    const report = parseReport(line, `${source}:${index + 1}`);
    if (report.startTimeMs >= range.fromMs && report.startTimeMs < range.toMs) byId.set(report.reportId, report);
  });
  return [...byId.values()];
}

async function fetchReports(source: string, { fromMs, toMs }: ReportRange, secret = ''): Promise<string> {
  const url = new URL(`v1/usage-reports?fromMs=${fromMs}&toMs=${toMs}`, source.endsWith('/') ? source : `${source}/`);
  let response: Response;
  try {
    response = await fetch(url, { headers: { authorization: `Bearer ${secret}` } });
  } catch (cause) {
    throw new ReportsError(`${url.origin}: does not answer; is the dispatch server up?`, { cause });
  }
  if (response.status === 401)
    throw new ConfigError(`${url.origin}: refused; set ZERORATE_OPERATOR_SECRET to its operator’s secret`);
  if (!response.ok) throw new ReportsError(`${url.origin}: HTTP ${response.status}`);
  return response.text();
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`${path}: cannot be read: ${(error as Error).message}; name a file or a URL with --reports`);
  }
}

function parseReport(line: string, place: string): ReportedUsage {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new ConfigError(`${place}: not valid JSON; expected lines of GET /v1/usage-reports`);
  }
  const parsed = reportedUsageSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  throw new ConfigError(`${place}: ${path.join('.')}: ${message}`);
}
