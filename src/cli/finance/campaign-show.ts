import type { Command } from 'commander';
import { readCatalogue, readCataloguePath, readStoreConfig } from '../../engine/assembly/read-config.ts';
import { amountText, campaignsIn, capText, type WatchedCampaign } from '../../finance/campaigns/campaign-rules.ts';
import { CampaignUsage } from '../../finance/campaigns/campaign-usage.ts';
import { CampaignFactReader } from '../../journal/campaign-facts.ts';
import { openStore } from '../../journal/open-store.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { counted, formatTable } from '../../platform/telemetry/terminal-output.ts';
import { type CampaignState, UNTOUCHED, windowsReached } from '../../rating/campaigns/campaigns.ts';
import { type CampaignCap, type Catalogue, type Plan, periodStartDay } from '../../rating/catalogue.ts';

interface ShowOptions {
  config?: string;
  store?: string;
  catalogue?: string;
}

/** A fact as it is listed. */
type FactRow = Record<'fact' | 'kinds' | 'subscribers' | 'bookedAt' | 'author' | 'reason', string>;

export function registerCampaignShow(campaign: Command): void {
  campaign
    .command('show')
    .argument('[campaign]', 'its id: its facts are listed, too; absent: all campaigns of the catalogue')
    .description('show campaigns: state, payment, audience, and what is used of their caps in the windows of now')
    .option('-c, --config <file>', 'the configuration that names the store and the catalogue')
    .option('--store <directory>', 'directory of the embedded store')
    .option('--catalogue <file>', 'the catalogue')
    .action(async (id: string | undefined, options: ShowOptions) => {
      const catalogue = readCatalogue(readCataloguePath(options));
      const campaigns = campaignsIn(catalogue).filter((each) => id === undefined || each.id === id);
      if (id !== undefined && campaigns.length === 0) throw new ConfigError(`the catalogue has no campaign "${id}"`);
      if (campaigns.length === 0) {
        process.stdout.write('the catalogue has no campaigns\n');
        return;
      }
      const store = await openStore(readStoreConfig(options), { create: false });
      try {
        process.stdout.write(`${await describeCampaigns(store, catalogue, campaigns)}\n`);
        if (id !== undefined) process.stdout.write(`\n${await listFacts(store, id)}\n`);
      } finally {
        await store.close();
      }
    });
}

async function describeCampaigns(
  store: Store,
  catalogue: Catalogue,
  campaigns: readonly WatchedCampaign[],
): Promise<string> {
  const usage = new CampaignUsage(store, campaigns);
  await usage.update();
  const { states } = await new CampaignFactReader(store).now();
  const nowMs = systemClock.nowMs();
  const described = campaigns.map((campaign) => {
    const plan = versionOf(catalogue, campaign.id, nowMs);
    const state = states.get(campaign.id) ?? UNTOUCHED;
    const lines = [
      ['campaign', `${campaign.id} of ${campaign.sponsorId}, version ${plan.version}`],
      ['state', stateText(plan, state, nowMs)],
      ['payment', campaign.payment],
      ['audience', audienceText(plan, state)],
      ...(plan.campaign?.caps ?? []).map((cap) => ['cap', capLine(campaign, plan, cap, state, usage, nowMs)]),
    ];
    return lines.map(([title, text]) => `${title.padEnd(10)}${text}`).join('\n');
  });
  return described.join('\n\n');
}

/** Returns the version in force; else the last one that has begun, or the first. */
function versionOf({ plans }: Catalogue, id: string, nowMs: number): Plan {
  const versions = plans.filter((plan) => plan.id === id && plan.campaign !== undefined);
  versions.sort((a, b) => a.effectiveFromMs - b.effectiveFromMs);
  return versions.findLast(({ effectiveFromMs }) => effectiveFromMs <= nowMs) ?? versions[0];
}

function stateText(plan: Plan, state: CampaignState, nowMs: number): string {
  const { effectiveFromMs, effectiveToMs, campaign } = plan;
  if (nowMs < effectiveFromMs) return `planned: begins at ${new Date(effectiveFromMs).toISOString()}`;
  if (nowMs >= effectiveToMs) return `completed: ended at ${new Date(effectiveToMs).toISOString()}`;
  const caps = campaign?.caps ?? [];
  if (caps.some((cap) => cap.per === 'whole' && windowsReached(cap, state).length > 0))
    return 'completed: a cap of the whole campaign is reached';
  if (state.isPaused) return 'paused';
  if (campaign?.payment === 'prepaid' && !state.isFunded) return 'unfunded: the sponsor’s balance is not above 0';
  return 'active';
}

function audienceText({ campaign }: Plan, { audience }: CampaignState): string {
  return campaign?.audience === 'everyone' ? 'everyone' : `${counted(audience.size, 'subscriber')} opted in`;
}

function capLine(
  campaign: WatchedCampaign,
  plan: Plan,
  cap: CampaignCap,
  state: CampaignState,
  usage: CampaignUsage,
  nowMs: number,
): string {
  const windowStart = {
    day: () => periodStartDay(nowMs, 'day', plan.timeZone),
    period: () => periodStartDay(nowMs, plan.period, plan.timeZone),
    whole: () => 0,
  }[cap.per]();
  const used = usage.used(campaign.id, cap.per, cap.unit, windowStart);
  const isReached = windowsReached(cap, state).some((reached) => reached.windowStart === windowStart);
  const text = `${capText({ ...cap, windowStart }, campaign.currency)}: ${amountText(used, cap.unit, campaign.currency)} used`;
  return isReached ? `${text}, reached` : text;
}

async function listFacts(store: Store, id: string): Promise<string> {
  // No alias has the name of a column: ClickHouse would put it in the column's place everywhere.
  const facts = await store.query<FactRow>(
    "SELECT toString(number) AS fact, arrayStringConcat(arraySort(groupUniqArray(toString(kind))), ', ') AS kinds, " +
      "toString(countIf(kind IN ('opt_in', 'opt_out'))) AS subscribers, toString(any(booked_at)) AS bookedAt, " +
      'any(who) AS author, any(why) AS reason ' +
      `FROM campaign_facts WHERE campaign_id = ${literal(id)} GROUP BY number ORDER BY number`,
  );
  if (facts.length === 0) return '(no facts)';
  return formatTable(facts, [
    { title: 'fact', cell: ({ fact }) => fact, right: true },
    { title: 'kind', cell: ({ kinds }) => kinds },
    { title: 'subscribers', cell: ({ subscribers }) => (subscribers === '0' ? '' : subscribers), right: true },
    { title: 'booked (UTC)', cell: ({ bookedAt }) => bookedAt },
    { title: 'who', cell: ({ author }) => author },
    { title: 'why', cell: ({ reason }) => reason },
  ]);
}
