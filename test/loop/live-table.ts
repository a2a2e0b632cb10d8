import { formatTable, grouped } from '../../src/platform/telemetry/terminal-output.ts';
import type { Member } from './crowd.ts';
import { APPLICATIONS } from './loop-plan.ts';
import { journalOctets, type LoopTotals, sentOctets } from './loop-totals.ts';
import type { LoopWorld } from './loop-world.ts';

const EVERY_MS = 2000;

interface LiveRow {
  applicationId: string;
  sessions: number;
  sent: number;
  charged: number;
  subscribers: number;
  remaining: number | null;
  refusals: string;
}

/** How the loop goes, again and again: drawn over on a terminal, lines elsewhere. */
export class LiveTable {
  readonly #world: LoopWorld;
  readonly #members: readonly Member[];
  readonly #print: (text: string) => void;
  #timer: NodeJS.Timeout | null = null;
  #drawnLines = 0;

  constructor(world: LoopWorld, members: readonly Member[], print: (text: string) => void) {
    this.#world = world;
    this.#members = members;
    this.#print = print;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#show().catch(() => {}), EVERY_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  async #show(): Promise<void> {
    const journal = await journalOctets(this.#world);
    // It may have been stopped meanwhile.
    if (this.#timer === null) return;
    const rows = APPLICATIONS.map(({ applicationId, quotaOctets }) =>
      this.#row(applicationId, quotaOctets, journal.get(applicationId) ?? { octets: 0, sponsored: 0 }),
    );
    if (process.stdout.isTTY) this.#draw(formatLive(rows));
    else for (const row of rows) this.#print(formatLine(row));
  }

  #row(applicationId: string, quotaOctets: number | null, booked: { octets: number; sponsored: number }): LiveRow {
    const members = this.#members.filter(({ application }) => application.applicationId === applicationId);
    const remaining = members.map(({ terminal }) => terminal.status.remainingOctets ?? 0);
    return {
      applicationId,
      sessions: members.filter(({ terminal }) => terminal.status.proxyId !== null).length,
      sent: sentOctets(this.#members, applicationId),
      charged: booked.sponsored,
      subscribers: booked.octets - booked.sponsored,
      remaining: quotaOctets === null ? null : remaining.reduce((sum, octets) => sum + octets, 0),
      refusals: formatRefusals(members),
    };
  }

  #draw(text: string): void {
    if (this.#drawnLines > 0) process.stdout.write(`\x1b[${this.#drawnLines}A\x1b[J`);
    this.#drawnLines = text.split('\n').length;
    process.stdout.write(`${text}\n`);
  }
}

function formatLive(rows: readonly LiveRow[]): string {
  return formatTable(rows, [
    { title: 'application', cell: ({ applicationId }) => applicationId },
    { title: 'sessions', cell: ({ sessions }) => String(sessions), right: true },
    { title: 'sent', cell: ({ sent }) => grouped(sent), right: true },
    { title: 'charged', cell: ({ charged }) => grouped(charged), right: true },
    { title: "subscriber's", cell: ({ subscribers }) => grouped(subscribers), right: true },
    {
      title: 'remaining',
      cell: ({ remaining }) => (remaining === null ? 'no quota' : grouped(remaining)),
      right: true,
    },
    { title: 'refusals', cell: ({ refusals }) => refusals },
  ]);
}

function formatLine({ applicationId, sessions, sent, charged, subscribers, remaining, refusals }: LiveRow): string {
  return `${applicationId}: ${sessions} sessions, ${sent} sent, ${charged} charged, ${subscribers} subscriber's, ${remaining ?? 'no quota'} remaining; ${refusals}`;
}

function formatRefusals(members: readonly Member[]): string {
  const sums: Record<string, number> = {};
  for (const { refusals } of members) {
    for (const [reason, count] of Object.entries(refusals)) sums[reason] = (sums[reason] ?? 0) + count;
  }
  return Object.entries(sums)
    .map(([reason, count]) => `${reason} ${count}`)
    .join(', ');
}

/** Octets by application, as each of those who count has them. */
export function formatTotals({ applications, all }: LoopTotals, members: readonly Member[]): string {
  const of = (id: string) => members.filter(({ application }) => application.applicationId === id);
  const table = formatTable(applications, [
    { title: 'application', cell: ({ applicationId }) => applicationId },
    { title: 'way', cell: ({ way }) => way },
    { title: 'sent', cell: ({ sent }) => grouped(sent), right: true },
    { title: 'metered', cell: ({ metered }) => grouped(metered), right: true },
    { title: 'identified', cell: ({ identified }) => grouped(identified), right: true },
    { title: 'reported', cell: ({ reported }) => grouped(reported), right: true },
    { title: 'charged', cell: ({ charged }) => grouped(charged), right: true },
    {
      title: "subscriber's",
      cell: ({ subscribers, metered, identified }) => grouped(subscribers + metered - identified),
      right: true,
    },
    { title: 'refusals', cell: ({ applicationId }) => formatRefusals(of(applicationId)) },
  ]);
  const reasons = applications.flatMap(({ applicationId, notSponsored }) =>
    Object.entries(notSponsored).map(([reason, octets]) => `${applicationId} ${reason} ${grouped(octets)}`),
  );
  const { sent, metered, journal } = all;
  const left = reasons.length === 0 ? '' : `\nnot sponsored though identified: ${reasons.join(', ')}`;
  return `${table}${left}\nall traffic: ${grouped(sent)} sent, ${grouped(metered)} metered, ${grouped(journal)} in the journal`;
}
