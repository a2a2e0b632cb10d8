import { DateTime } from 'luxon';
import type { ContentShares, SessionContentType } from '../protocol/content-octets.ts';
import type { SessionGrant } from '../protocol/dispatch-messages.ts';
import type { OctetUse } from './octet-ledger.ts';

const BASIS_POINTS = 10_000n;
/** Older ones are forgotten. */
const MAX_PERIODS = 400;

/** A calendar period of the time zone, or a length in milliseconds since 1970. */
export type TerminalPeriod = 'day' | 'week' | 'month' | { lengthMs: number };

export interface StatisticsOptions {
  applicationId: string;
  period: TerminalPeriod;
  /** IANA name; for calendar periods. */
  timeZone: string;
  /** Of an earlier run. */
  rows?: readonly StatisticsRow[];
}

/** Octets of one content type in one period, by payer as the terminal knows it. `control`: with the dispatch server. */
export interface StatisticsRow {
  periodStartMs: number;
  periodEndMs: number;
  applicationId: string;
  contentType: SessionContentType | 'control';
  sponsoredOctets: number;
  subscriberOctets: number;
}

interface SessionUse {
  shares: ContentShares;
  capOctets: number;
  /** Sponsored until now. */
  sponsoredOctets: number;
  /** Of each content type: what of a sponsored octet is left over, basis points. */
  carries: Map<SessionContentType, bigint>;
}

/**
 * A terminal's octets by period, content type and payer. Of a session the sponsor pays the share of the content type, up to the cap that
 * the session has when the octets pass; what goes direct, and what is said to the dispatch server, is the subscriber's.
 */
export class UsageStatistics {
  readonly #options: StatisticsOptions;
  readonly #rows = new Map<string, StatisticsRow>();
  readonly #sessions = new Map<string, SessionUse>();

  constructor(options: StatisticsOptions) {
    this.#options = options;
    for (const row of options.rows ?? []) this.#rows.set(keyOf(row), { ...row });
  }

  noteGrant({ sessionId, contentShares, sponsoredOctetsCap }: SessionGrant): void {
    const { sponsoredOctets = 0, carries = new Map() } = this.#sessions.get(sessionId) ?? {};
    this.#sessions.set(sessionId, { shares: contentShares, capOctets: sponsoredOctetsCap, sponsoredOctets, carries });
  }

  add({ kind, label, uplinkOctets, downlinkOctets }: OctetUse, nowMs: number): void {
    const octets = uplinkOctets + downlinkOctets;
    const row = this.#row(label?.contentType ?? (kind === 'control' ? 'control' : 'other'), nowMs);
    const session = label?.sessionId == null ? undefined : this.#sessions.get(label.sessionId);
    const sponsored = session && label ? takeSponsored(session, label.contentType, octets) : 0;
    row.sponsoredOctets += sponsored;
    row.subscriberOctets += octets - sponsored;
  }

  /** By period, the latest last. */
  rows(): StatisticsRow[] {
    return [...this.#rows.values()]
      .map((row) => ({ ...row }))
      .sort((a, b) => a.periodStartMs - b.periodStartMs || (a.contentType < b.contentType ? -1 : 1));
  }

  #row(contentType: StatisticsRow['contentType'], nowMs: number): StatisticsRow {
    const { applicationId, period, timeZone } = this.#options;
    const row = {
      ...periodOf(period, timeZone, nowMs),
      ...{ applicationId, contentType, sponsoredOctets: 0, subscriberOctets: 0 },
    };
    const known = this.#rows.get(keyOf(row));
    if (known !== undefined) return known;
    this.#rows.set(keyOf(row), row);
    this.#forgetOldest();
    return row;
  }

  #forgetOldest(): void {
    const starts = [...new Set([...this.#rows.values()].map(({ periodStartMs }) => periodStartMs))].sort(
      (a, b) => a - b,
    );
    const oldest = starts[starts.length - MAX_PERIODS] ?? 0;
    for (const [key, { periodStartMs }] of this.#rows) if (periodStartMs < oldest) this.#rows.delete(key);
  }
}

/** The period that holds the instant: its first millisecond, and the first one after it. */
export function periodOf(
  period: TerminalPeriod,
  timeZone: string,
  nowMs: number,
): { periodStartMs: number; periodEndMs: number } {
  if (typeof period === 'object') {
    const periodStartMs = nowMs - (nowMs % period.lengthMs);
    return { periodStartMs, periodEndMs: periodStartMs + period.lengthMs };
  }
  const start = DateTime.fromMillis(nowMs, { zone: timeZone }).startOf(period);
  return { periodStartMs: start.toMillis(), periodEndMs: start.plus({ [period]: 1 }).toMillis() };
}

function takeSponsored(session: SessionUse, contentType: SessionContentType, octets: number): number {
  const share = BigInt(session.shares[contentType] ?? 0);
  const basisPoints = BigInt(octets) * share + (session.carries.get(contentType) ?? 0n);
  session.carries.set(contentType, basisPoints % BASIS_POINTS);
  const left = Math.max(0, session.capOctets - session.sponsoredOctets);
  const sponsored = Math.min(Number(basisPoints / BASIS_POINTS), left, octets);
  session.sponsoredOctets += sponsored;
  return sponsored;
}

function keyOf({ periodStartMs, periodEndMs, applicationId, contentType }: StatisticsRow): string {
  return JSON.stringify([periodStartMs, periodEndMs, applicationId, contentType]);
}
