import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import avro from 'avsc';
import { recordsOfBatch } from '../../src/platform/kafka/patches/patch-record-sets.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import type { Identification } from '../../src/rating/catalogue.ts';
import type { FlowRecord } from '../../src/rating/flow-record.ts';
import { REASONS } from '../../src/rating/outcome.ts';
import type { SessionContentType } from '../../src/sessions/protocol/content-octets.ts';
import { reportedUsageSchema } from '../../src/sessions/protocol/dispatch-messages.ts';
import type { Member } from './crowd.ts';
import { DATABASE, FLOW_TOPIC } from './loop-files.ts';
import { ADDRESS_PROXY_IP, APPLICATIONS } from './loop-plan.ts';
import type { LoopWorld } from './loop-world.ts';

/** Octets of one application, each counted by another component. */
export interface ApplicationTotals {
  applicationId: string;
  way: Identification;
  /** By the terminals, on their connections to proxies. */
  sent: number;
  /** By the gateway, of the same connections. */
  metered: number;
  /** Of these: with the application's evidence, its tag or its proxy's address. */
  identified: number;
  /** By the proxies, as the dispatch server has it. */
  reported: number;
  /** In the engine's journal: the sponsor's, and the subscriber's under the plan. What is not identified is the subscriber's, too. */
  charged: number;
  subscribers: number;
  /** Of what the gateway metered with the evidence: in records that the journal has no charge of. */
  uncharged: number;
  /** In the engine's journal, by the reason why no sponsor pays: it has no row for each of these records. */
  notSponsored: Readonly<Record<string, number>>;
  /** At most so many were under way while the tag was taken away or put back. */
  tagChangeOctets: number;
}

export const UDP = 17;
/** Of one terminal, at one change: what sockets on the way hold. */
const TAG_CHANGE_OCTETS = 256 * 1024;

export interface LoopTotals {
  applications: ApplicationTotals[];
  /** Everything, on all connections: terminals, gateway, journal. */
  all: { sent: number; metered: number; journal: number };
}

/** Records of the topic; one that was sent twice counts once. */
export async function readFlowRecords({ kafka }: LoopWorld): Promise<FlowRecord[]> {
  const type = avro.Type.forSchema(JSON.parse(readFileSync(packagePath('schemas/flow-record.avsc'), 'utf8')));
  const records = new Map<number, FlowRecord>();
  let left = await countMessages(kafka);
  const consumer = kafka.consumer({ groupId: `loop-${randomUUID()}` });
  await consumer.connect();
  await consumer.subscribe({ topic: FLOW_TOPIC, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    if (left === 0) return resolve();
    const run = consumer.run({
      eachBatch: async ({ batch }) => {
        for (const { value } of recordsOfBatch(batch)) {
          const record = type.fromBuffer(Buffer.from(value)) as FlowRecord;
          records.set(record.localSequenceNumber, record);
          left--;
        }
        if (left <= 0) resolve();
      },
    });
    run.catch(reject);
  });
  await consumer.disconnect();
  return [...records.values()];
}

export async function countMessages(kafka: LoopWorld['kafka']): Promise<number> {
  const admin = kafka.admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(FLOW_TOPIC);
  await admin.disconnect();
  return offsets.reduce((sum, { high }) => sum + Number(high), 0);
}

/** How many records the journal has taken in. */
export async function countBooked(world: LoopWorld): Promise<number> {
  const [row] = await askStore<[number]>(world, "SELECT sum(records_read) FROM journal WHERE kind = 'batch'");
  return row[0];
}

/** By application id what the journal holds; the empty one: what no application is known of. */
export async function journalOctets(world: LoopWorld): Promise<Map<string, { octets: number; sponsored: number }>> {
  // The part before the whole: what is booked in between makes no part larger than it.
  const octets = async () =>
    askStore<[string, number]>(
      world,
      "SELECT application_id, sum(octets) FROM outcomes WHERE reason != 'duplicate' GROUP BY application_id",
    );
  const sponsored = new Map(
    await askStore<[string, number]>(
      world,
      'SELECT application_id, sum(sponsored_octets) FROM charges GROUP BY application_id',
    ),
  );
  return new Map((await octets()).map(([id, sum]) => [id, { octets: sum, sponsored: sponsored.get(id) ?? 0 }]));
}

/** The gateway's numbers of the records that were rated under a plan. The gateway is the one node of the loop. */
export async function chargedNumbers(world: LoopWorld): Promise<Set<number>> {
  const rows = await askStore<[number]>(world, 'SELECT local_sequence_number FROM charges');
  return new Set(rows.map(([number]) => number));
}

/** By application id and reason the octets that no sponsor pays for. */
async function notSponsoredOctets(world: LoopWorld): Promise<Map<string, Record<string, number>>> {
  const reasons = REASONS.filter(({ outcome }) => outcome === 'not_sponsored').map(({ reason }) => `'${reason}'`);
  const rows = await askStore<[string, string, number]>(
    world,
    `SELECT application_id, reason, sum(octets) FROM outcomes WHERE reason IN (${reasons.join()}) GROUP BY application_id, reason`,
  );
  const found = new Map<string, Record<string, number>>();
  for (const [id, reason, octets] of rows) found.set(id, { ...found.get(id), [reason]: octets });
  return found;
}

/** By application id what proxies have reported: of all content, or of one type. */
export async function reportedOctets(
  { dispatchUrl, files }: LoopWorld,
  contentType?: SessionContentType,
): Promise<Map<string, number>> {
  const toMs = Date.now() + 60_000;
  const response = await fetch(`${dispatchUrl}/v1/usage-reports?fromMs=0&toMs=${toMs}`, {
    headers: { authorization: `Bearer ${files.operatorSecret}` },
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`the dispatch server gives no reports: ${response.status} ${text}`);
  const sums = new Map<string, number>();
  for (const line of text.split('\n').filter((line) => line !== '')) {
    const { applicationId, usage } = reportedUsageSchema.parse(JSON.parse(line));
    const counted = usage.filter((each) => contentType === undefined || each.contentType === contentType);
    const octets = counted.reduce((sum, { uplinkOctets, downlinkOctets }) => sum + uplinkOctets + downlinkOctets, 0);
    sums.set(applicationId, (sums.get(applicationId) ?? 0) + octets);
  }
  return sums;
}

export async function gatherTotals(world: LoopWorld, members: readonly Member[]): Promise<LoopTotals> {
  const records = await readFlowRecords(world);
  const [reported, journal] = [await reportedOctets(world), await journalOctets(world)];
  const [charged, notSponsored] = [await chargedNumbers(world), await notSponsoredOctets(world)];
  const applicationOf = new Map(members.map(({ msisdn, application }) => [msisdn, application.applicationId]));
  const octetsOf = (chosen: (record: FlowRecord) => boolean): number =>
    records.filter(chosen).reduce((sum, { uplinkOctets, downlinkOctets }) => sum + uplinkOctets + downlinkOctets, 0);
  const applications = APPLICATIONS.map(({ applicationId, way, tag, atCap }) => {
    const terminals = members.filter(({ application }) => application.applicationId === applicationId).length;
    const booked = journal.get(applicationId) ?? { octets: 0, sponsored: 0 };
    const isIdentified = ({ zeroRatingTag, remoteIp }: FlowRecord) =>
      tag === null ? remoteIp === ADDRESS_PROXY_IP : zeroRatingTag === tag;
    return {
      applicationId,
      way,
      sent: sentOctets(members, applicationId),
      metered: octetsOf(
        (record) => applicationOf.get(record.servedMsisdn) === applicationId && isToProxy(world, record),
      ),
      identified: octetsOf(isIdentified),
      reported: reported.get(applicationId) ?? 0,
      charged: booked.sponsored,
      subscribers: booked.octets - booked.sponsored,
      uncharged: octetsOf((record) => isIdentified(record) && !charged.has(record.localSequenceNumber)),
      notSponsored: notSponsored.get(applicationId) ?? {},
      // A session tag is on all of a connection or on none of it: it never changes.
      tagChangeOctets: atCap === 'stop' || way !== 'proxy_mark' ? 0 : terminals * TAG_CHANGE_OCTETS,
    };
  });
  const all = {
    sent: members.reduce((sum, { terminal }) => sum + Object.values(terminal.octets()).reduce(plus, 0), 0),
    metered: octetsOf(() => true),
    journal: [...journal.values()].reduce((sum, { octets }) => sum + octets, 0),
  };
  return { applications, all };
}

/**
 * What does not hold, in words. What the gateway metered is in the journal to the octet, always; what terminals sent and proxies reported is
 * so, too, but for `inFlightOctets`: those that were under way when a connection broke. Where a session continues at the
 * subscriber's cost, as many were under way, metered but not yet at the proxy, when the tag was taken away.
 */
export function differences({ applications, all }: LoopTotals, inFlightOctets = 0): string[] {
  const found: string[] = [];
  const same = (where: string, left: [string, number], right: [string, number], within = 0) => {
    if (Math.abs(left[1] - right[1]) > within) found.push(`${where}: ${left[0]} ${left[1]}, ${right[0]} ${right[1]}`);
  };
  for (const totals of applications) {
    const { applicationId, way, sent, metered, identified, reported, charged, subscribers } = totals;
    const where = `${applicationId} (${way})`;
    same(where, ['sent by terminals', sent], ['metered by the gateway', metered], inFlightOctets);
    const within = inFlightOctets + totals.tagChangeOctets;
    if (way !== 'proxy_address') {
      same(where, ['metered with the tag', identified], ['reported by proxies', reported], within);
    } else if (reported > identified + within) {
      // By address the sponsor pays for connections that the proxy refuses, too, and they are in no report.
      found.push(`${where}: reported by proxies ${reported}, metered at the proxy's address ${identified}`);
    }
    same(where, ['metered and identified', identified], ['in the journal', charged + subscribers]);
    const left = Object.values(totals.notSponsored).reduce((sum, octets) => sum + octets, 0);
    same(where, ['metered and identified, without a charge', totals.uncharged], ['not sponsored in the journal', left]);
    if (way === 'proxy_address')
      same(where, ['metered by the gateway', metered], ['at the proxy’s address', identified]);
  }
  same('all traffic', ['sent by terminals', all.sent], ['metered by the gateway', all.metered], inFlightOctets);
  same('all traffic', ['metered by the gateway', all.metered], ['in the journal', all.journal]);
  return found;
}

/** Connections by the proxies' ports; datagrams by what is no application's port, as each association has a port of its own. */
export function isToProxy({ terminalPorts, callPorts }: LoopWorld, { protocol, remotePort }: FlowRecord): boolean {
  if (protocol === UDP) return !Object.values(callPorts).includes(remotePort);
  return terminalPorts.has(remotePort);
}

/** Where nothing was identified at all: then every count above is the same and proves nothing. */
export function unidentified({ applications }: LoopTotals): string[] {
  return applications
    .filter(({ identified }) => identified === 0)
    .map(({ applicationId, way }) => `${applicationId} (${way}): nothing was identified`);
}

export function sentOctets(members: readonly Member[], applicationId: string): number {
  return members
    .filter(({ application }) => application.applicationId === applicationId)
    .reduce((sum, { terminal }) => plus(sum, terminal.octets().proxy), 0);
}

function plus(sum: number, { uplinkOctets, downlinkOctets }: { uplinkOctets: number; downlinkOctets: number }): number {
  return sum + uplinkOctets + downlinkOctets;
}

export async function askStore<T>({ storeUrl }: LoopWorld, sql: string): Promise<T[]> {
  const url = `${storeUrl}/?database=${DATABASE}&output_format_json_quote_64bit_integers=0`;
  const response = await fetch(url, { method: 'POST', body: `${sql} FORMAT JSONCompactEachRow` });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
