import { formatTable, grouped } from '../../src/platform/telemetry/terminal-output.ts';
import type { FlowRecord } from '../../src/rating/flow-record.ts';
import { CALL_CONTENT } from './call-content.ts';
import type { Member } from './crowd.ts';
import { APPLICATIONS } from './loop-plan.ts';
import { askStore, chargedNumbers, isToProxy, readFlowRecords, reportedOctets, UDP } from './loop-totals.ts';
import type { LoopWorld } from './loop-world.ts';

/** Octets of one application's calls through proxies, control connections included, each by its own counter. */
export interface CallTotals {
  applicationId: string;
  sent: number;
  /** By the gateway: datagrams between terminals and proxies, and connections to the proxies' SOCKS5. */
  metered: number;
  /** Of these: datagrams. */
  meteredUdp: number;
  /** With the application's tag; null for one that is known by its proxy's address. */
  marked: number | null;
  reported: number;
  /** In the engine's journal: the sponsor's, and the subscriber's under the plan. */
  charged: number;
  subscribers: number;
  /** With the application's tag, in records that the journal has no charge of; `differences` compares all of these with its reasons. */
  uncharged: number;
  /** What was under way while a tag was removed, at most. */
  tagChangeOctets: number;
}

export async function gatherCallTotals(world: LoopWorld, members: readonly Member[]): Promise<CallTotals[]> {
  const records = (await readFlowRecords(world)).filter(
    (record) => isToProxy(world, record) && (record.protocol === UDP || world.socks5Ports.has(record.remotePort)),
  );
  const reported = await reportedOctets(world, CALL_CONTENT);
  const journal = new Map(
    (
      await askStore<[string, number, number]>(
        world,
        `SELECT application_id, sum(sponsored_octets), sum(subscriber_octets) FROM charges WHERE content_type = '${CALL_CONTENT}' GROUP BY application_id`,
      )
    ).map(([applicationId, charged, subscribers]) => [applicationId, { charged, subscribers }]),
  );
  const charged = await chargedNumbers(world);
  const applicationOf = new Map(members.map(({ msisdn, application }) => [msisdn, application.applicationId]));
  return APPLICATIONS.map(({ applicationId, tag, atCap }) => {
    const own = records.filter(({ servedMsisdn }) => applicationOf.get(servedMsisdn) === applicationId);
    const marked = tag === null ? null : own.filter(({ zeroRatingTag }) => zeroRatingTag === tag);
    const terminals = members.filter(({ application }) => application.applicationId === applicationId);
    return {
      applicationId,
      sent: terminals.reduce((sum, { terminal }) => sum + octetsOf(terminal.octetsOf(CALL_CONTENT)), 0),
      metered: sumOf(own),
      meteredUdp: sumOf(own.filter(({ protocol }) => protocol === UDP)),
      marked: marked === null ? null : sumOf(marked),
      reported: reported.get(applicationId) ?? 0,
      ...(journal.get(applicationId) ?? { charged: 0, subscribers: 0 }),
      uncharged: sumOf((marked ?? []).filter(({ localSequenceNumber }) => !charged.has(localSequenceNumber))),
      tagChangeOctets: atCap === 'stop' ? 0 : terminals.length * CALL_CHANGE_OCTETS,
    };
  });
}

/** Of one terminal: datagrams that the gateway had metered and the proxy had not, when the tag was removed. */
const CALL_CHANGE_OCTETS = 64 * 1024;

/** What does not hold, in words. */
export function callDifferences(totals: readonly CallTotals[], inFlightOctets = 0): string[] {
  const found: string[] = [];
  const same = (where: string, left: [string, number], right: [string, number], within = 0) => {
    if (Math.abs(left[1] - right[1]) > within) found.push(`${where}: ${left[0]} ${left[1]}, ${right[0]} ${right[1]}`);
  };
  for (const each of totals) {
    const { applicationId, sent, metered, marked, reported, charged, subscribers, uncharged, tagChangeOctets } = each;
    const where = `calls of ${applicationId}`;
    same(where, ['sent by terminals', sent], ['metered by the gateway', metered], inFlightOctets);
    // By address records name no content: what is charged for calls is not known apart.
    if (marked === null) continue;
    const within = inFlightOctets + tagChangeOctets;
    same(where, ['metered with the tag', marked], ['reported by proxies', reported], within);
    // The journal names the content of what is charged alone.
    same(where, ['metered with the tag and charged', marked - uncharged], ['in the journal', charged + subscribers]);
  }
  if (totals.every(({ meteredUdp }) => meteredUdp === 0)) found.push('no call went through a proxy');
  return found;
}

export function formatCallTotals(totals: readonly CallTotals[]): string {
  return formatTable(totals, [
    { title: 'calls (UDP)', cell: ({ applicationId }) => applicationId },
    { title: 'sent', cell: ({ sent }) => grouped(sent), right: true },
    { title: 'metered', cell: ({ metered }) => grouped(metered), right: true },
    { title: 'of it UDP', cell: ({ meteredUdp }) => grouped(meteredUdp), right: true },
    { title: 'with tag', cell: ({ marked }) => (marked === null ? 'by address' : grouped(marked)), right: true },
    { title: 'reported', cell: ({ reported }) => grouped(reported), right: true },
    { title: 'charged', cell: ({ charged }) => grouped(charged), right: true },
    { title: "subscriber's", cell: ({ subscribers }) => grouped(subscribers), right: true },
    { title: 'not sponsored', cell: ({ uncharged }) => grouped(uncharged), right: true },
  ]);
}

function sumOf(records: readonly Pick<FlowRecord, 'uplinkOctets' | 'downlinkOctets'>[]): number {
  return records.reduce((sum, record) => sum + octetsOf(record), 0);
}

function octetsOf({ uplinkOctets, downlinkOctets }: { uplinkOctets: number; downlinkOctets: number }): number {
  return uplinkOctets + downlinkOctets;
}
